// Frontend: the listening sockets and the sessions that have come in through them.
//
// Processes: the master only.
// Limits:    `connections` sessions at once: for one more, the client that holds most loses the
//            connection that has been idle for longest; one that has not shown the token or the
//            certificate that it was asked for goes before any other. Where none is idle, the new
//            one is told so (-32009) and closed, as one beyond connections_per_client is. What all
//            of them hold of unfinished requests and unread answers is connection_memory_bytes:
//            when it is more, those that hold most are closed, until 1/64 of it is free. A
//            connection that sends no first byte, dribbles a message or does not read is closed:
//            see net::Connection. Refusals are counted, and logged once a second at most for each
//            reason. TLS: see Handshakes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "master/deployment/deployment.h"
#include "master/frontend/handshakes.h"
#include "master/frontend/session.h"
#include "master/system/systemd.h"
#include "net/listener.h"

namespace ringmaster::master {

class Frontend {
 public:
  // So many connections more than there may be are told so; any further ones are only closed.
  static constexpr size_t kToldMax = 64;

  // `inherited` sockets of the service manager, if there are any, take the place of all addresses.
  Frontend(uv_loop_t* loop, std::vector<InheritedSocket> inherited);

  // Binds those of its addresses that are not bound yet, and loads what TLS takes. Nobody is let in
  // there before serve().
  [[nodiscard]] Status bind(const Options& options);
  // Requests go to this deployment from now on, and clients are let in at its addresses, which are
  // bound; the others are closed. Fails, and changes nothing, when one cannot be listened on.
  [[nodiscard]] Status serve(Deployment& deployment);
  // Closes what was bound for a deployment that will not come to be.
  void forget_bound();
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
  struct Entrance {
    net::Address configured;
    std::unique_ptr<net::Listener> listener;
    bool is_open = false;
  };

  Status load_tls(const Options& options);
  void warn_if_open(const net::Listener& listener, const Options& options) const;
  // These are in front_accept.cc.
  void accept(net::Stream stream, bool is_tls);
  bool lets_in(const net::AnyStream& stream);
  std::optional<Refusal> make_room_for(const std::string& client);
  bool close_idle();
  void on_handshake(net::Connection& connection, uint64_t took_ns);
  void report_refusals();
  void close_stalled();
  void count_memory(const net::Connection& connection, uint64_t was_bytes);
  void close_greediest();
  Session& session_of(net::Connection& connection) { return *sessions_.at(&connection); }

  uv_loop_t* loop_;
  // Of the deployment that serves, and of the next one; null: it has no TLS address.
  std::shared_ptr<const net::TlsContext> tls_;
  std::shared_ptr<const net::TlsContext> next_tls_;
  Session::Shared shared_;
  net::ReadingTurns reading_turns_;
  net::Connection::Events events_;
  bool is_inherited_;
  std::vector<Entrance> entrances_;
  std::unordered_map<const net::Connection*, std::shared_ptr<Session>> sessions_;
  uint64_t memory_bytes_ = 0;  // that sessions_ hold
  std::vector<std::shared_ptr<Session>> unsent_;
  std::vector<std::shared_ptr<Session>> flushing_;  // its memory is used again
  std::vector<std::shared_ptr<Session>> closed_;    // destroyed once their callbacks have returned
  UvHandle<uv_timer_t> patience_;
  Handshakes handshakes_;
  size_t next_bucket_ = 0;  // of the sessions: is looked at next
};

}  // namespace ringmaster::master
