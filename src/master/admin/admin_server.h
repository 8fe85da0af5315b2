// AdminServer: /livez and /readyz over HTTP, for health checks, and /reloads.
//
//   GET /livez    200 while the event loop turns: restart the server only if this fails
//   GET /readyz   200 while a worker is up and, if there are jobs, some worker is at work. 503
//                 while the server loads, after the workers have been frozen for a second, and once
//                 the server was told to stop: send it no requests
//   GET /reloads  200 and the results of the last reloads, as JSON: see ReloadRecord
//
// HEAD is answered, too. Other paths get 404, other methods 405. No queue or limit of requests, no
// listen.allow and no token applies: the answers hold no secret.
// Processes: the master only.
// Limits:    kConnectionsMax connections, one request of each. A new connection beyond them closes
//            the oldest, so idle clients keep no other out. A request may take 10 s, and 1 KiB.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "net/connection.h"
#include "net/listener.h"
#include "rpc/http_date.h"

namespace ringmaster::master {

class AdminServer {
 public:
  static constexpr size_t kConnectionsMax = 64;

  struct Health {
    bool is_ready;
    std::string text;  // one line, for people
  };
  struct Sources {
    std::function<Health()> health;
    std::function<std::string()> reloads;  // one line of JSON
  };
  AdminServer(uv_loop_t* loop, Sources sources);
  ~AdminServer();

  // bind() binds the address, unless it is the open one; "": none. listen() may still fail (71).
  // The open address stays open until open() replaces it; forget_bound() gives the new one up.
  [[nodiscard]] Status bind(const net::Address& address, const net::UnixAccess& unix_access);
  [[nodiscard]] Status listen();
  void open();
  void forget_bound() { next_.reset(); }

  // Sends the answers. Call before the event loop waits.
  void flush();

 private:
  static constexpr std::string_view kText = "text/plain; charset=utf-8";

  struct Entrance {
    net::Address configured;
    std::unique_ptr<net::Listener> listener;  // null: there is none
  };

  class Visit;  // one connection
  using Visits = std::vector<std::unique_ptr<Visit>>;

  void accept(net::Stream stream);
  Visits::iterator find(const Visit* visit);
  void close_stalled();

  uv_loop_t* loop_;
  Sources sources_;
  const net::ConnectionLimits limits_;
  rpc::HttpDate date_;
  Entrance now_;
  std::optional<Entrance> next_;
  Visits visits_;                       // oldest first
  size_t accepted_ = 0;                 // in this turn of the loop
  size_t accepted_before_ = 0;          // in the turn before
  std::vector<const Visit*> finished_;  // may have been destroyed since
  Visits closed_;                       // until their callbacks have returned
  UvHandle<uv_timer_t> stall_timer_;
};

}  // namespace ringmaster::master
