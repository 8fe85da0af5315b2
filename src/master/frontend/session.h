// Session: one client's connection, and what it is owed: its messages become calls, their answers
// become responses in the client's framing: as they come, or of HTTP in the order of its requests.
//
// Memory: calls know their session weakly: a client that leaves does not wait for its answers, and
//         they do not keep it alive.
// AccessControl: where tokens are asked for, the first message must bring one, or each request of
//         HTTP. One that is wrong, whenever it comes, is in the last message that is read: what was
//         asked before is answered, then the connection ends.
// Limits: in_flight_per_connection calls, and as many replies of HTTP that are yet to be sent; then
//         the connection is not read until answers have left.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "master/deployment/deployment.h"
#include "master/frontend/access_control.h"
#include "master/frontend/call.h"
#include "master/frontend/client_table.h"
#include "master/frontend/http_policy.h"
#include "master/frontend/response_queue.h"
#include "net/connection.h"
#include "rpc/http_date.h"
#include "rpc/http_response.h"
#include "rpc/json_rpc.h"

namespace ringmaster::master {

class Session : public std::enable_shared_from_this<Session> {
 public:
  // What all sessions share.
  struct Shared {
    Deployment* deployment = nullptr;  // the one that serves: a reload changes it
    Limits limits;                     // copies of its: connections may outlive it
    net::ConnectionLimits connection_limits;
    std::vector<std::string> origins;  // see http_rules.h
    AccessControl access;
    ClientTable<Session> clients;         // without those that are refused
    uint64_t connections_per_client = 0;  // 0: no limit
    rpc::HttpDate date;
    std::function<void(std::shared_ptr<Session>)> on_unsent;  // flush() is due
    bool is_draining = false;                                 // no new requests
  };

  Session(net::Stream stream, std::unique_ptr<net::TlsStream> tls,
          const net::Connection::Events& events, Shared& shared, uint64_t now_ns);

  net::Connection& connection() { return connection_; }

  // Counts it as a connection of this client, which may be asked for a certificate.
  void enter(const std::string& client, bool is_certificate_asked);
  // From now on it is that client's, by its token or certificate. False: that one has
  // connections_per_client already.
  [[nodiscard]] bool identify(const std::string& client);
  // REQUIRES: enter().
  const std::string& client() const { return shared_.clients.name_of(*place_); }
  // For a connection that is one too many, by that limit: says so, and closes.
  void refuse_connection(Refusal why);
  // Closes it at once, so that another connection has its place. False: not all that it was
  // answered has been sent; it is the last of its client's to be asked again. Or a client that has
  // shown a token or a certificate is sending a request; it counts as busy until that is complete.
  bool make_room();
  // Is it time to close it, because of what its client does not do? To be asked now and then.
  bool has_stalled(uint64_t now_ns) { return connection_.has_stalled(now_ns); }
  bool has_idled(uint64_t now_ns) { return connection_.has_idled(now_ns, !is_idle()); }

  // See net::Connection::Events.
  bool on_head(const rpc::HttpReader& head);
  bool on_message(std::string_view message);
  void on_unreadable(rpc::Framer::Event why);
  void on_ended();

  // A response: `append` adds it to the string that it is given.
  template <class Append>
  void respond(Append append) {
    const size_t begin = connection_.output().size();
    append(connection_.output());
    frame_response(begin);
  }
  void respond_result(rpc::Version version, std::string_view id, std::string_view result);
  void respond_error(rpc::Version version, std::string_view id, const rpc::Error& error);
  // The same for a long result of one line, from where it lies.
  void send_result(rpc::Version version, std::string_view id, std::string_view result);
  // The response to a request of HTTP.
  void send_http(ResponseQueue::Place place, unsigned status, bool keep_alive,
                 std::span<const rpc::HttpField> fields, std::string_view body);
  // What is held for this client elsewhere counts as its own.
  void charge(int64_t bytes);
  void on_answered(const Call& call);

  bool is_closed() const { return connection_.is_closed(); }
  // The client is gone: it has reset the connection, or broken the protocol. What it waits for is
  // cancelled; its notifications, of which it awaits nothing, are not. A client that only ends its
  // sending is not gone: see net::Connection.
  void on_closed();
  // Closes once all that it is owed has been sent.
  void finish_when_idle();
  bool is_idle() const { return calls_.empty() && line_.is_empty(); }

 private:
  bool is_authentication(const rpc::Message& message) const;
  void refuse_unauthenticated(const rpc::Message& message);
  // -32001; counts it among the refusals.
  rpc::Error count_unauthorized();
  rpc::Error too_many_connections(Refusal why) const;
  void begin(const rpc::Request& request, const std::shared_ptr<Reply>& reply);
  void refuse_unknown_method(const rpc::Request& request, Reply* reply);
  void authenticate(const rpc::Request& request, Reply* reply);
  void admit(const Method& method, const rpc::Request& request,
             const std::shared_ptr<Reply>& reply);
  void cancel(const rpc::Request& request, Reply* reply);
  void discover(const rpc::Request& request, Reply* reply);
  void answer(const rpc::Request& request, std::string_view result, Reply* reply);
  void refuse(const rpc::Request& request, const rpc::Error& error, Reply* reply);
  void refuse_message(const rpc::Error& error, rpc::Framer::Event why);
  std::string bad_frame() const;
  void send_continue();
  void refuse_head(const rpc::HttpReader& head, std::string_view why);
  void frame_response(size_t begin);
  void update_hold();
  void update_idle();

  const Limits& limits() const { return shared_.limits; }

  Shared& shared_;
  net::Connection connection_;
  std::vector<Call*> calls_;    // not yet answered; their jobs own them
  ResponseQueue line_;          // of HTTP
  HttpVerdict verdict_;         // on the request whose message comes next
  bool owes_continue_ = false;  // to its client, which waits for that before it sends the message
  bool is_authenticated_;       // has no token to show any more; HTTP shows it each time
  bool is_identified_ = false;  // has shown a token or a certificate
  std::optional<ClientTable<Session>::Place> place_;  // none: it is refused
  bool is_unwelcome_ = false;                         // nothing more is heard of it
  bool is_held_ = false;
  bool is_finishing_ = false;
};

}  // namespace ringmaster::master
