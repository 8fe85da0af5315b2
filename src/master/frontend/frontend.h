// Frontend: the listening sockets and the sessions that they accepted.
//
// Processes: the master only.
// Limits:    `connections` sessions at once. At the limit, the master closes an idle connection to
//            admit a new one: of the client with most connections, the one idle longest.
//            Connections without the required token or certificate go first. If none is idle, or
//            the client has connections_per_client already, the new one gets an error (-32009; not
//            over TLS) and is closed. Unfinished requests and unread answers may hold
//            connection_memory_bytes in all. At that limit the master closes connections of the
//            clients that hold most, until 1/64 of the memory is free. A connection that sends no
//            first byte, sends a message too slowly or does not read is closed: see
//            net::Connection. A proxy's connection becomes a session once it has sent its header:
//            see ProxiedStreams. At most `connections` of these wait for their header; with all
//            sessions they are at most `connections` + kToldMax. Refusals are counted, and logged
//            once a second at most for each reason. TLS: see Handshakes.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/client_turns.h"
#include "base/status.h"
#include "master/deployment/deployment.h"
#include "master/frontend/handshakes.h"
#include "master/frontend/session.h"
#include "master/system/systemd.h"
#include "net/listener.h"
#include "net/proxied_streams.h"

namespace ringmaster::master {

class Frontend {
 public:
  // At most this many connections beyond the limit get an error; further ones get none.
  static constexpr size_t kToldMax = 64;

  // `inherited`: sockets of the service manager; if there are any, they replace all addresses.
  Frontend(uv_loop_t* loop, std::vector<InheritedSocket> inherited, telemetry::Recorder& recorder);

  // Binds the addresses that are not bound yet, and loads the TLS files. No client is accepted
  // there before serve().
  [[nodiscard]] Status bind(const Options& options);
  // Routes requests to this deployment, listens at its addresses and closes the others. Fails, and
  // changes nothing, when listen(2) fails for one of them. REQUIRES: bind().
  [[nodiscard]] Status serve(Deployment& deployment);
  // Closes the addresses that were bound for a deployment that was given up.
  void forget_bound();
  // The addresses of the listeners, as clients write them.
  std::vector<std::string> addresses() const;

  // Accepts no more clients and refuses new requests (-32013).
  void drain();
  // Closes every connection once all of its answers were sent.
  void finish();
  // Sends the answers since the last call, except for delayed refusals. Call before the event loop
  // waits.
  void flush();
  size_t connections() const { return sessions_.size(); }
  // The number of open connections, by framing.
  std::array<size_t, 4> connections_by_framing() const;
  uint64_t memory_bytes() const { return memory_bytes_; }
  const Limits& limits() const { return shared_.limits; }
  // Whether messages that were read before drain() are not served yet.
  bool has_unserved_of_before() const { return !shared_.awaited.empty(); }
  // Whether any messages wait for a turn of the loop. A client that goes on sending may keep this
  // true.
  bool has_unserved() const {
    return !paused_.is_empty() || shared_.reading_turns.is_catching_up();
  }

 private:
  struct Entrance {
    net::Address configured;
    std::unique_ptr<net::Listener> listener;
    bool is_open = false;
  };

  Status load_tls(const Options& options);
  void warn_if_open(const net::Listener& listener, const Options& options) const;
  // These are in frontend_accept.cc.
  // `tls`: null without TLS.
  void accept(net::Stream stream, std::shared_ptr<const net::TlsContext> tls);
  void begin_session(net::Stream stream, const net::TlsContext* tls);
  bool lets_in(const sockaddr_storage& client);
  std::optional<Refusal> make_room_for(const std::string& client);
  bool close_idle();
  void report_refusals();
  void go_on_with_paused();
  void delay(std::shared_ptr<Session> session);
  void close_stalled();
  void count_memory(const net::Connection& connection, uint64_t was_bytes);
  void close_greediest();

  uv_loop_t* loop_;
  // The TLS files of the serving deployment, and of the next one; null: it has no TLS address.
  std::shared_ptr<const net::TlsContext> tls_;
  std::shared_ptr<const net::TlsContext> next_tls_;
  Session::Shared shared_;
  std::vector<net::Cidr> proxies_;  // listen.proxy_from
  net::ProxiedStreams proxied_;
  bool is_inherited_;
  std::vector<Entrance> entrances_;
  std::unordered_set<std::shared_ptr<Session>> sessions_;
  uint64_t memory_bytes_ = 0;  // held by sessions_
  std::vector<std::shared_ptr<Session>> unsent_;
  std::vector<std::shared_ptr<Session>> flushing_;  // a member, to reuse its memory
  std::vector<std::shared_ptr<Session>> closed_;    // destroyed after their callbacks have returned
  ClientTurns<std::shared_ptr<Session>> paused_;    // see net::ReadingTurns
  std::vector<std::shared_ptr<Session>> delayed_;   // their refusals wait: see RefusalQuota
  UvHandle<uv_timer_t> delay_timer_;                // active while any session is delayed
  UvHandle<uv_idle_t> next_turn_;                   // active while any session is paused
  UvHandle<uv_timer_t> stall_timer_;
  Handshakes handshakes_;
  LongMessages long_messages_;
  size_t next_bucket_ = 0;  // the bucket of sessions_ to check next
};

}  // namespace ringmaster::master
