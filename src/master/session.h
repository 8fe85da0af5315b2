// Session: one client's connection, and what it is owed: its messages become calls, their answers
// become responses.
//
// Memory: calls know their session weakly: a client that leaves does not wait for its answers, and
//         they do not keep it alive.
// Limits: in_flight_per_connection calls; then the connection is not read until answers have left.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "master/deployment.h"
#include "net/connection.h"
#include "rpc/json_rpc.h"

namespace ringmaster::master {

class Session : public std::enable_shared_from_this<Session> {
 public:
  // What all sessions share.
  struct Shared {
    Deployment* deployment = nullptr;  // the one that serves: a reload changes it
    Limits limits;                     // copies of its: connections may outlive it
    net::ConnectionLimits connection_limits;
    std::function<void(std::shared_ptr<Session>)> on_unsent;  // flush() is due
    bool is_draining = false;                                 // no new requests
  };

  Session(net::Stream stream, const net::Connection::Events& events, Shared& shared,
          uint64_t now_ns);

  net::Connection& connection() { return connection_; }

  // For a client that is one too many: says so, and closes.
  void refuse_connection();
  // Is it time to close it, because of what its client does not do? To be asked now and then.
  bool has_stalled(uint64_t now_ns) { return connection_.has_stalled(now_ns); }
  bool has_idled(uint64_t now_ns) { return connection_.has_idled(now_ns, !is_idle()); }

  // See net::Connection::Events.
  bool on_message(std::string_view message);
  void on_unreadable(rpc::Framer::Event why);
  void on_ended();

  // A response: appended to what begin_response() returns, then ended.
  std::string& begin_response() { return connection_.output(); }
  void end_response();
  // The client is gone: it has reset the connection, or broken the protocol. What it waits for is
  // cancelled; its notifications, of which it awaits nothing, are not. A client that only ends its
  // sending is not gone: see net::Connection.
  void on_closed();
  // Closes once all that it is owed has been sent.
  void finish_when_idle();
  bool is_idle() const { return calls_.empty(); }

 private:
  class Batch;
  class Call;

  void on_answered(const Call& call);
  void begin(const rpc::Request& request, const std::shared_ptr<Batch>& batch);
  void refuse(const rpc::Request& request, const rpc::Error& error, Batch* batch);
  void send_result(rpc::Version version, std::string_view id, std::string_view result);
  void refuse_message(int32_t code, std::string reason, std::string message, uint64_t limit);

  const Limits& limits() const { return shared_.limits; }

  Shared& shared_;
  net::Connection connection_;
  std::vector<Call*> calls_;  // not yet answered; their jobs own them
  bool is_held_ = false;
  bool is_finishing_ = false;
};

}  // namespace ringmaster::master
