// ConnectionPool: libcurl's connections to one upstream, and the transfers that wait for one.
//
// Threads: the loop's only; libcurl looks up names in threads of its own.
// Order:   a transfer waits while no connection is free, and those of one client keep their order.
//          The clients with waiting transfers take turns.
// Cost:    libcurl searches all connections of a multi handle for each transfer. So there are
//          several multi handles with few connections each, created as needed. They share the DNS
//          cache and TLS sessions. A transfer that waits costs O(log n) of n such transfers.
// Addresses: transfers to one IP address share multi handles of their own: a full handle ends an
//          idle connection to make another one, whatever its address. Once there are no further
//          handles, transfers use any handle that has room.
// HTTP/2:  a connection serves up to CurlLoop::kStreamsMax transfers at once. Of two multi handles,
//          the one with fewer transfers gets the next transfer. Further handles get transfers only
//          when these two are full. So two transfers have two connections, and the end of a
//          connection ends half of the transfers. Until the first response tells the version
//          (unless HttpVersion::kHttp2 does), a connection serves one transfer. The same holds if
//          later responses come by HTTP/1.1. If a server allows fewer streams, libcurl opens
//          further connections, and the transfers beyond these wait in libcurl, in their order.
// Limits:  `connections`, and set_limit(). Before the first lookup of the name has succeeded, and
//          after a lookup that failed or got no answer in time, one transfer looks the name up, and
//          others begin only on connections that are open: each lookup is a thread, which libcurl
//          cannot end if no DNS server answers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/client_turns.h"
#include "base/telemetry/moving_average.h"
#include "upstream/curl_loop.h"
#include "upstream/options.h"

namespace ringmaster::upstream {

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;

class ConnectionPool {
 public:
  struct Transfer;
  using Turns = ClientTurns<Transfer*, const void*>;
  struct Transfer {
    Easy easy;
    std::string address;  // the IP address to connect to; empty: that of the URL's host
    uint64_t deadline_ns = 0;
    const void* client = nullptr;  // identifies its client; never dereferenced
    ConnectionPool* pool = nullptr;
    UvHandle<uv_timer_t> timer;   // ends it at its deadline, where libcurl does not
    uint64_t began_ns = 0;        // when it was given a connection
    CurlLoop* multi = nullptr;    // that runs the transfer; null: the transfer waits, at `turn`
    bool has_connection = false;  // that is made: its request could be sent
    Turns::Place turn;
  };
  // A transfer has ended, in any way. CURLE_OPERATION_TIMEDOUT: maybe it never had a connection.
  // The callback must call remove().
  using OnDone = std::function<void(Transfer& transfer, CURLcode code)>;

  ConnectionPool(uv_loop_t* loop, const UpstreamOptions& options, OnDone on_done);

  // Call once for each transfer, before start(); its easy handle may be used again.
  void adopt(Transfer& transfer);
  // Neither function calls OnDone before it returns.
  void start(Transfer& transfer);
  void remove(Transfer& transfer);
  // Another client needs this transfer, too. If the transfer waits, it moves to the end of that
  // client's queue, provided that fewer transfers come before it there.
  void share_turn(Transfer& transfer, const void* client);
  // Call from CURLOPT_PREREQFUNCTION: libcurl is about to send the request. Does not call libcurl.
  void on_connected(Transfer& transfer);

  // From now on at most so many transfers are given connections.
  void set_limit(uint64_t transfers);
  uint64_t limit() const { return std::min(limit_, capacity()); }
  // Transfers that all connections serve at once.
  uint64_t capacity() const { return connections_ * streams(); }

  // See CurlLoop.
  void end_idle_except(std::span<const std::string> addresses);

  bool is_name_known() const { return is_name_known_; }
  // Transfers that wait for a connection.
  size_t waiting() const { return waiting_; }
  // How long one more transfer of this client would wait, if all take as long as the recent ones.
  double wait_ns(const void* client) const;
  // The most descriptors that a pool uses.
  static uint64_t descriptors_max(const UpstreamOptions& options);
  // Whether this transfer's connection has this port here and speaks HTTP/1.1. False for a new
  // connection that may turn out to speak HTTP/2.
  bool is_http1(const Transfer& transfer, int local_port) const {
    return !may_multiplex_ || transfer.multi->is_http1(local_port);
  }

 private:
  struct FreeShare {
    void operator()(CURLSH* share) const { curl_share_cleanup(share); }
  };
  struct Multi {
    std::string address;  // that its transfers have; empty: none, or one that is gone
    std::unique_ptr<CurlLoop> loop;
  };

  void on_ended(CURL* easy, CURLcode code);
  void end(Transfer& transfer, CURLcode code);
  void on_opened();
  bool has_room() const;
  bool may_look_up(const Transfer& transfer) const;
  size_t looking_up_in(const Multi& multi) const;
  size_t open_room(const Multi& multi) const;
  bool may_add_multi() const { return multis_.size() * connections_each_ < connections_; }
  CurlLoop& find_room(const Transfer& transfer);
  CurlLoop* find_open() const;
  CurlLoop& find_room_for(const std::string& address);
  CurlLoop* take_multi(const std::string& address);
  // The transfers at once of one connection.
  size_t streams() const { return is_multiplexed_ ? CurlLoop::kStreamsMax : 1; }
  void begin(Transfer& transfer, CurlLoop& multi);
  void begin_waiting();
  void begin_waiting_soon();
  void stop_waiting(Transfer& transfer);
  void watch_deadline(Transfer& transfer);

  uv_loop_t* loop_;
  const uint64_t connections_;
  const uint64_t connections_each_;  // of one multi handle
  const bool may_multiplex_;         // HTTP/2 is offered
  bool is_multiplexed_;              // the last response came by HTTP/2
  uint64_t limit_ = UINT64_MAX;
  uint64_t running_ = 0;  // transfers that have a connection
  const OnDone on_done_;
  const bool has_address_;                   // no name is looked up
  bool is_name_known_;                       // the last lookup has succeeded
  std::vector<const Transfer*> looking_up_;  // begun since the name is unknown; no connection yet
  std::unique_ptr<CURLSH, FreeShare> share_;
  std::vector<Multi> multis_;  // never removed
  Turns turns_;                // the transfers that wait
  size_t waiting_ = 0;         // their count
  telemetry::MovingAverage took_ns_;
  UvHandle<uv_timer_t> begin_soon_;  // begins the transfers that wait
};

}  // namespace ringmaster::upstream
