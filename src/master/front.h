// Front: the listening sockets and the sessions that have come in through them.
//
// Processes: the master only.
// Limits:    `connections` sessions at once: one more is told so (-32009) and closed. A connection
//            that sends no first byte, or dribbles a message, is closed: see net::Connection.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "master/session.h"
#include "net/listener.h"

namespace ringmaster::master {

class Front {
 public:
  Front(uv_loop_t* loop, const Options& options, Dispatcher& dispatcher);

  // Binds the configured addresses; `inherited` sockets of the service manager take their place.
  [[nodiscard]] Status bind(std::vector<Fd> inherited);
  // Lets clients in.
  [[nodiscard]] Status listen();
  // As clients would write them.
  std::vector<std::string> addresses() const;

  // Lets nobody in any more and refuses new requests (-32013).
  void drain();
  // Closes every connection once it has been sent all that it is owed.
  void finish();
  // Writes what was answered since the last call. To be called before the event loop waits.
  void flush();
  size_t connections() const { return sessions_.size(); }

 private:
  void accept(net::Stream stream);
  void close_stalled();
  Session& session_of(net::Connection& connection) { return *sessions_.at(&connection); }

  uv_loop_t* loop_;
  const Options& options_;
  std::unordered_map<std::string, const Method*> methods_;
  Session::Shared shared_;
  net::Connection::Events events_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::unordered_map<const net::Connection*, std::shared_ptr<Session>> sessions_;
  std::vector<std::shared_ptr<Session>> unsent_;
  std::vector<std::shared_ptr<Session>> flushing_;  // its memory is used again
  std::vector<std::shared_ptr<Session>> closed_;    // destroyed once their callbacks have returned
  net::UvHandle<uv_timer_t> patience_;
};

}  // namespace ringmaster::master
