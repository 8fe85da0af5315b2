// ConnectionPool: libcurl's connections to one upstream, as many as it may have, and the transfers
// that wait for one of them.
//
// Threads: the loop's only; libcurl looks up names in threads of its own.
// Order:   first come, first served: who finds no connection free waits, and is not overtaken.
// Cost:    libcurl looks through all connections of a multi handle for each transfer: so there are
//          several, of a few connections, made as they are needed. What they know of names and of
//          TLS sessions they have in common.
// Limits:  `connections`. A name that is not known is looked up by one transfer, for which the
//          others wait: each lookup is a thread, which libcurl cannot end if nobody answers it.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "upstream/curl_loop.h"

namespace ringmaster::upstream {

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;

class ConnectionPool {
 public:
  struct Transfer {
    Easy easy;
    uint64_t deadline_ns = 0;
    CurlLoop* multi = nullptr;             // that it is with; null: it waits
    std::list<Transfer*>::iterator place;  // of one that waits
  };
  // A transfer has ended, however; CURLE_OPERATION_TIMEDOUT, too, when it has waited in vain. It is
  // to be removed.
  using OnDone = std::function<void(Transfer& transfer, CURLcode code)>;

  ConnectionPool(uv_loop_t* loop, const std::string& url, uint64_t connections, OnDone on_done);

  // Once for each, before it is started: its easy handle may be used again.
  void adopt(Transfer& transfer);
  // Both never call back before they have returned.
  void start(Transfer& transfer);
  void remove(Transfer& transfer);

  bool is_name_known() const { return is_name_known_; }
  // How many it may come to have.
  static uint64_t descriptors_max(uint64_t connections);

 private:
  struct FreeShare {
    void operator()(CURLSH* share) const { curl_share_cleanup(share); }
  };

  void on_done(CURL* easy, CURLcode code);
  void on_opened();
  CurlLoop* find_room();
  void begin(Transfer& transfer, CurlLoop& multi);
  void begin_waiting();
  void look_again_in(uint64_t ms);
  void look_at_waiting();

  uv_loop_t* loop_;
  const uint64_t connections_;
  const OnDone on_done_;
  bool is_name_known_;
  std::unique_ptr<CURLSH, FreeShare> share_;
  std::vector<std::unique_ptr<CurlLoop>> multis_;  // as many as were ever needed
  std::list<Transfer*> waiting_;
  UvHandle<uv_timer_t> timer_;  // while there are any
};

}  // namespace ringmaster::upstream
