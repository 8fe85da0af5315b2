// Session: one client connection and its calls. Messages become calls. Answers are sent in the
// client's framing as soon as they are there; over HTTP, in the order of the requests.
//
// Memory: a call holds its session weakly, so it does not keep a session whose client has left.
// Access: where a token is required, it must be in the first message, or in each HTTP
//         request. The message with a wrong token is the last that is read: earlier requests are
//         answered, then the connection ends.
// Limits: in_flight_per_connection calls, and as many unsent HTTP responses. Beyond that the
//         connection is not read until answers were sent.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "master/deployment/deployment.h"
#include "master/frontend/access_control.h"
#include "master/frontend/client_table.h"
#include "master/frontend/handshakes.h"
#include "master/frontend/http_policy.h"
#include "master/frontend/long_messages.h"
#include "master/frontend/refusal_quota.h"
#include "master/frontend/reply.h"
#include "master/frontend/response_queue.h"
#include "net/connection.h"
#include "net/reading_turns.h"
#include "rpc/http_date.h"
#include "rpc/http_response.h"
#include "rpc/json_rpc.h"

namespace ringmaster::master {

// The methods that the session itself answers.
inline constexpr std::string_view kCancel = "$/cancelRequest";
inline constexpr std::string_view kDiscover = "rpc.discover";
inline constexpr std::string_view kAuth = "rpc.auth";
inline constexpr std::string_view kQuote = "rpc.quote";

inline bool is_built_in(std::string_view method) {
  return method == kCancel || method == kDiscover || method == kAuth || method == kQuote;
}

class Session final : public std::enable_shared_from_this<Session>,
                      private net::Connection::Events {
 public:
  // Shared by all sessions.
  struct Shared {
    telemetry::Recorder* recorder = nullptr;
    Deployment* deployment = nullptr;  // the one that serves: a reload changes it
    Limits limits;                     // copies: connections may outlive the deployment
    std::shared_ptr<const rpc::Wanted> wanted;
    net::ConnectionLimits connection_limits;
    std::vector<std::string> origins;  // see http_policy.h
    AccessControl access;
    ClientTable<Session> clients;         // without refused sessions
    uint64_t connections_per_client = 0;  // 0: no limit
    uint64_t connection_age_s = 0;        // 0: no limit
    double next_jitter = 0;               // of the next session, 0 to 1
    bool endpoint_load_metrics = false;   // see send_if_complete()
    rpc::HttpDate date;
    net::ReadingTurns reading_turns;
    Handshakes* handshakes = nullptr;
    LongMessages* long_messages = nullptr;
    RefusalQuota refusals{random_salt()};
    std::function<void(std::shared_ptr<Session>)> on_unsent;   // flush() is due
    std::function<void(std::shared_ptr<Session>)> on_delayed;  // flush() is due later
    // See net::Connection::Events. on_closed: the session itself must be destroyed later.
    std::function<void(const net::Connection&, uint64_t was_bytes)> on_memory;
    std::function<void(std::shared_ptr<Session>)> on_closed;
    std::function<void(std::shared_ptr<Session>)> on_paused;  // go_on() is due in the next turn
    bool is_draining = false;                                 // new requests are refused
    std::unordered_set<const Session*> awaited;               // see await_served()
  };

  Session(net::Stream stream, std::unique_ptr<net::TlsStream> tls, Shared& shared, uint64_t now_ns);

  net::Connection& connection() { return connection_; }

  // Counts the connection for this client. `is_certificate_asked`: a certificate is required.
  void enter(const std::string& client, bool is_certificate_asked);
  // Another deployment serves from now on.
  void on_deployment() { share_ = nullptr; }
  // Sends the error for a connection beyond the limit `why`, and closes the connection.
  void refuse_connection(Refusal why);
  // Closes the connection at once, for a new one. False: the connection stays. If it has unsent
  // answers, or messages that wait for a turn, it goes to the end of its client's idle connections.
  // While a known client is sending a request, the connection counts as busy.
  bool make_room();
  // If messages that were read wait to be parsed, or for turns, adds this session to
  // Shared::awaited until they are served.
  void await_served();
  // After on_paused: begins more of a long batch; see also net::Connection::go_on().
  void go_on();
  // Whether to close the connection because its client does nothing. Call each tick.
  bool has_stalled(uint64_t now_ns) { return connection_.has_stalled(now_ns); }
  bool has_idled(uint64_t now_ns) { return connection_.has_idled(now_ns, !is_idle()); }
  // Whether to close the connection for its age: no answer is due, and for a second at least there
  // was no request. A client that sends its next request right after a response has done so by
  // then. False for HTTP: there the last response tells the client. Call each tick.
  bool has_aged_idle(uint64_t now_ns);

  // The client for which the connection counts; empty: the connection is refused.
  // REQUIRES: !is_closed().
  const std::string& client() const {
    static const std::string kNone;
    return place_ ? shared_.clients.name_of(*place_) : kNone;
  }
  bool is_closed() const { return connection_.is_closed(); }
  // Closes the connection once all answers were sent.
  void finish_when_idle();
  bool is_idle() const {
    return calls_.empty() && responses_.is_empty() && long_message_ == nullptr && !is_beginning_;
  }

 private:
  class Call;          // in session_calls.cc
  struct LongMessage;  // in session_long_messages.cc

  // An answer of this length is sent without a copy, by a system call of its own.
  static constexpr size_t kSentAtOnceBytes = 16 << 10;

  // See net::Connection::Events.
  bool on_head(const rpc::HttpReader& head) override;
  bool on_message(std::string_view message) override;
  void on_unreadable(rpc::Framer::Event why) override;
  bool may_shake_hands() override;
  void on_handshake(uint64_t took_ns) override;
  void on_tls_failed(const std::string& why) override;
  void on_ended() override { finish_when_idle(); }
  void on_memory(uint64_t was_bytes) override { shared_.on_memory(connection_, was_bytes); }
  // Cancels the session's calls, except notifications. A client that only shuts down its sending
  // side is not gone: see net::Connection.
  void on_closed() override;
  net::ReadingTurns* reading_turns() override { return &shared_.reading_turns; }
  void on_paused() override { shared_.on_paused(shared_from_this()); }

  // Whether the connection is older than listen.connection_age_s, which its jitter lengthens by up
  // to a quarter.
  bool is_aged() const;
  // Counts the connection for this client from now on, by its token or certificate. False: the
  // client has connections_per_client already.
  [[nodiscard]] bool identify(const std::string& client);
  // Has a thread parse the message, then serves it. The connection is not read until then.
  void serve_long_message(std::string_view text, const std::optional<Reply::Http>& http);
  void parse_later();
  void on_parsed(rpc::Message message);
  // Begins requests of the long message until this turn of the loop has served for long enough; the
  // next turns go on.
  void begin_some();
  // Charges the connection `bytes` of memory for its long message, in place of the charge before.
  void charge_long_message(uint64_t bytes);
  // The memory that the connection is charged for its long message; 0: it has no such message.
  uint64_t long_message_bytes() const;
  void end_long_message();
  // Closes the connection if its client has reset it. True: the connection is closed.
  bool close_if_gone();
  // False: the message is not JSON.
  bool serve(const rpc::Message& message, const std::optional<Reply::Http>& http);
  // Whether requests of this message may begin. False: the client was told why not.
  bool may_begin(const rpc::Message& message, const std::optional<Reply::Http>& http);
  // Call when all requests of the message have begun.
  void end_beginning(const std::shared_ptr<Reply>& reply);
  // The client's share of the workers of the deployment that serves.
  ClientShare& share();
  bool is_authentication(const rpc::Message& message) const;
  void refuse_unauthenticated(const rpc::Message& message);
  // Records the answer to a request that is no job: its error, or the result of a built-in method.
  // `method`: the built-in one, or empty.
  void record_refusal(std::string_view method, const rpc::Error& error);
  void record_answer(std::string_view method);
  // Call before a request is refused as it comes. The refusal is sent later if its client has had
  // too many, see RefusalQuota.
  void charge_refusal();
  // Has the output be sent at the end of this turn of the loop, or later: see charge_refusal().
  void tell_unsent();
  uint32_t client_name();
  // Makes the error -32001, and counts a refusal.
  rpc::Error count_unauthorized();
  rpc::Error too_many_connections(Refusal why) const;
  void begin(const rpc::Request& request, const std::shared_ptr<Reply>& reply);
  void refuse_unknown_method(const rpc::Request& request, Reply* reply);
  void authenticate(const rpc::Request& request, Reply* reply);
  void admit(const Method& method, const rpc::Request& request,
             const std::shared_ptr<Reply>& reply);
  void cancel(const rpc::Request& request, Reply* reply);
  void discover(const rpc::Request& request, Reply* reply);
  void quote(const rpc::Request& request, Reply* reply);
  void on_answered(const Call& call);
  void cancel_calls();
  void answer(const rpc::Request& request, std::string_view result, Reply* reply);
  void refuse(const rpc::Request& request, const rpc::Error& error, Reply* reply);
  void refuse_message(const rpc::Error& error, rpc::Framer::Event why);
  std::string bad_frame() const;
  void send_continue();
  void refuse_head(const rpc::HttpReader& head, const rpc::Error& error);
  // Sends a response: `append` adds it to its argument.
  template <class Append>
  void respond(Append append) {
    const size_t begin = connection_.output().size();
    append(connection_.output());
    frame_response(begin);
  }
  void frame_response(size_t begin);
  void respond_result(rpc::Version version, std::string_view id, std::string_view result,
                      std::string_view meta = "");
  void respond_error(rpc::Version version, std::string_view id, const rpc::Error& error,
                     std::string_view meta = "");
  // Like respond_result(), for a long result of one line: sends it without a copy.
  void send_result(rpc::Version version, std::string_view id, std::string_view result,
                   std::string_view meta);
  // Sends a response: output() from `begin` on, then `body` without a copy, then `tail`.
  void send_framed(size_t begin, std::string_view body, std::string tail);
  void send_if_complete(Reply& reply);
  // Sends the response to an HTTP request.
  void send_http(ResponseQueue::Place place, unsigned status, bool keep_alive,
                 std::span<const rpc::HttpField> fields, std::string_view body);
  // Counts memory held elsewhere for this connection.
  void charge(int64_t bytes);
  void update_hold();
  void update_idle();

  const Limits& limits() const { return shared_.limits; }

  Shared& shared_;
  net::Connection connection_;
  const uint64_t begun_ns_;
  const double jitter_;
  std::vector<Call*> calls_;    // unanswered; their jobs own them
  ResponseQueue responses_;     // HTTP responses in order
  HttpVerdict verdict_;         // on the request whose body comes next
  bool owes_continue_ = false;  // the client waits for 100 Continue before it sends the body
  bool is_authenticated_;       // no further token is needed; HTTP: each request needs one
  bool is_identified_ = false;  // the client has shown a token or a certificate
  std::optional<ClientTable<Session>::Place> place_;  // none: refused
  std::shared_ptr<ClientShare> share_;                // null: not asked for yet
  uint32_t client_name_ = 0;                          // in the recorder's table; 0: not asked for
  RefusalQuota::Account account_ = 0;                 // the client's
  bool is_unwelcome_ = false;                         // further messages are ignored
  std::shared_ptr<LongMessage> long_message_;         // null: none is being served
  bool is_beginning_ = false;                         // requests of a message begin
  bool are_answers_late_ = false;                     // those to the message that begins
  bool is_held_ = false;
  bool is_finishing_ = false;
};

}  // namespace ringmaster::master
