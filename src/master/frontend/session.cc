#include "master/frontend/session.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/clock.h"
#include "base/json/scan.h"

namespace ringmaster::master {
namespace {

// The longest message of a client that has not shown a token.
constexpr uint64_t kUnauthenticatedBytes = 4 << 10;
// An aged connection is closed once it has been idle for this time: no message tells the client of
// the end. The time is a second, plus the longest time between two ticks: only a tick notices that
// a request is in flight.
constexpr uint64_t kSilenceNs = 2 * kNsPerS;

// Jitters in steps of the golden ratio lie evenly, whatever their number.
double take_jitter(double& next) {
  constexpr double kStep = 0.6180339887;
  return std::exchange(next, next + kStep < 1 ? next + kStep : next + kStep - 1);
}

// The longest params of a built-in method: the event loop itself reads them.
constexpr size_t kBuiltInParamsBytes = 4 << 10;

}  // namespace

Session::Session(net::Stream stream, std::unique_ptr<net::TlsStream> tls, Shared& shared,
                 uint64_t now_ns)
    : shared_(shared),
      connection_(std::move(stream), std::move(tls), *this, shared.connection_limits, now_ns),
      begun_ns_(now_ns),
      jitter_(take_jitter(shared.next_jitter)),
      is_authenticated_(!shared.access.asks_for_token()) {
  if (!is_authenticated_) connection_.limit_messages(kUnauthenticatedBytes);
}

bool Session::on_head(const rpc::HttpReader& head) {
  verdict_ = judge_page(head, shared_.origins);
  std::optional<rpc::Error> error;
  if (verdict_.status == 200 && shared_.access.asks_for_token()) {
    const std::string client = shared_.access.client_with(token_of(head));
    if (client.empty()) {
      verdict_.status = 401;
      error = count_unauthorized();
    } else if (!identify(client)) {
      verdict_.status = 503;
      error = too_many_connections(Refusal::kConnectionsPerClient);
    }
  }
  if (verdict_.status == 200) verdict_ = judge_request(head, std::move(verdict_));
  if (verdict_.status == 204) return true;
  if (verdict_.status != 200) {
    refuse_head(head, error.value_or(rpc::make_error(rpc::kInvalidRequest, "http", verdict_.why)));
    return false;
  }
  owes_continue_ = head.expects_continue();
  send_continue();
  return true;
}

// Sends 100 Continue after all earlier responses: else the client would take it for one of these.
void Session::send_continue() {
  if (!owes_continue_ || !responses_.is_empty()) return;
  owes_continue_ = false;
  connection_.output() += rpc::kHttpContinue;
  shared_.on_unsent(shared_from_this());
}

bool Session::on_message(std::string_view text) {
  update_idle();
  std::optional<Reply::Http> http;
  if (connection_.http() != nullptr) {
    owes_continue_ = false;
    http = {responses_.open(), connection_.http()->keep_alive(), verdict_};
    if (verdict_.status == 204) {
      send_http(http->place, 204, http->keep_alive, fields_of(verdict_), "");
      return true;
    }
  }
  if (text.size() >= LongMessages::kBytesMin) {
    serve_long_message(text, http);
    return true;
  }
  return serve(rpc::parse(text, limits().batch_items, *shared_.wanted), http);
}

bool Session::serve(const rpc::Message& message, const std::optional<Reply::Http>& http) {
  if (!may_begin(message, http)) return true;
  const std::shared_ptr<Reply> reply = reply_to(message, http);
  // A batch's first requests may be answered before the others begin. The session is not idle then.
  is_beginning_ = true;
  for (const rpc::Request& request : message.requests)
    begin(request, reply);
  end_beginning(reply);
  return message.is_json();
}

bool Session::may_begin(const rpc::Message& message, const std::optional<Reply::Http>& http) {
  if (is_authenticated_ || http || is_authentication(message)) return true;
  refuse_unauthenticated(message);
  return false;
}

void Session::end_beginning(const std::shared_ptr<Reply>& reply) {
  is_beginning_ = false;
  if (reply != nullptr) {
    reply->close();
    send_if_complete(*reply);
  }
  are_answers_late_ = false;
  update_hold();
  if (is_finishing_) finish_when_idle();
}

bool Session::is_authentication(const rpc::Message& message) const {
  return !message.is_batch && message.requests.size() == 1 && !message.requests.front().error &&
         message.requests.front().method == kAuth;
}

// Any message gets this error: a client without a token never learns whether the message is valid.
void Session::refuse_unauthenticated(const rpc::Message& message) {
  const rpc::Error error = count_unauthorized();
  const bool has_id = !message.is_batch && !message.requests.empty();
  const std::string_view id = has_id ? message.requests.front().id : "";
  record_refusal("", error);
  respond_error(rpc::Version::k2, id, error);
  finish_when_idle();
}

rpc::Error Session::count_unauthorized() {
  shared_.access.count(Refusal::kToken, connection_.client());
  return rpc::make_error(rpc::kUnauthorized, "unauthorized",
                         connection_.http() == nullptr
                             ? "expected a valid token first: call rpc.auth with "
                               "the params {\"token\": \"...\"}"
                             : "expected a valid token: Authorization: Bearer ...");
}

void Session::begin(const rpc::Request& request, const std::shared_ptr<Reply>& reply) {
  if (request.error) return refuse(request, *request.error, reply.get());
  if (request.params.size() > kBuiltInParamsBytes && is_built_in(request.method)) {
    const std::string what = fmt::format("expected params of at most {} bytes, found {}",
                                         kBuiltInParamsBytes, request.params.size());
    return refuse(request, rpc::make_error(rpc::kInvalidParams, "invalid_params", what),
                  reply.get());
  }
  if (request.method == kCancel) return cancel(request, reply.get());
  if (request.method == kAuth) return authenticate(request, reply.get());
  if (shared_.is_draining) {  // the deployment may be gone
    rpc::Error error =
        rpc::make_error(rpc::kShuttingDown, "shutting_down", "the server is shutting down");
    error.retryable = true;
    return refuse(request, error, reply.get());
  }
  if (request.method == kDiscover) return discover(request, reply.get());
  if (request.method == kQuote) return quote(request, reply.get());
  const Method* method = shared_.deployment->find_method(request.method);
  if (method == nullptr) return refuse_unknown_method(request, reply.get());
  admit(*method, request, reply);
}

void Session::refuse_unknown_method(const rpc::Request& request, Reply* reply) {
  rpc::Error error = rpc::make_error(rpc::kMethodNotFound, "method_not_found",
                                     fmt::format("there is no method {:.100}", request.method));
  // A notification gets no answer, so no nearest name is searched.
  if (!request.is_notification()) {
    const std::string_view near = shared_.deployment->nearest_method(request.method);
    if (!near.empty()) error.message += fmt::format("; did you mean {}?", near);
  }
  refuse(request, error, reply);
}

// If no token is required, any token is accepted, as in HTTP. So clients can be configured before
// the server.
void Session::authenticate(const rpc::Request& request, Reply* reply) {
  const AccessControl& access = shared_.access;
  const bool is_asked = access.asks_for_token();
  const std::string client = is_asked ? access.client_with(token_of(request.params)) : "";
  if (is_asked && (client.empty() || !identify(client))) {
    is_unwelcome_ = true;
    is_finishing_ = true;  // once the whole message has begun
    const rpc::Error error = client.empty() ? count_unauthorized()
                                            : too_many_connections(Refusal::kConnectionsPerClient);
    return refuse(request, error, reply);
  }
  is_authenticated_ = true;
  connection_.limit_messages(0);
  answer(request, "true", reply);
}

// See openrpc.h. The answer is large, and the memory limit is checked only after all requests of
// one read. So this function limits the unsent answers.
void Session::discover(const rpc::Request& request, Reply* reply) {
  const size_t waiting =
      connection_.output().size() + connection_.charged_bytes() - long_message_bytes();
  if (waiting <= net::Connection::kUnsentBytesMax) {
    return answer(request, shared_.deployment->openrpc(), reply);
  }
  rpc::Error error = rpc::make_error(rpc::kOverloaded, "unsent_answers",
                                     fmt::format("{} bytes of answers wait to be sent", waiting));
  error.retryable = true;
  error.limit = net::Connection::kUnsentBytesMax;
  refuse(request, error, reply);
}

bool Session::may_shake_hands() {
  return shared_.handshakes->may_go_on(connection_, now_ns());
}

// A client that has shown a certificate counts by its subject, not its address.
void Session::on_handshake(uint64_t took_ns) {
  if (!shared_.handshakes->note(connection_, took_ns, now_ns())) return;
  const std::string subject = connection_.client_subject();
  if (!subject.empty() && !identify("certificate " + subject)) connection_.abort();
}

void Session::on_tls_failed(const std::string& why) {
  shared_.access.count(Refusal::kTls, connection_.client() + ": " + why);
}

void Session::charge(int64_t bytes) {
  connection_.charge(bytes);
  tell_unsent();  // so that flush() counts these bytes
}

void Session::enter(const std::string& client, bool is_certificate_asked) {
  account_ = shared_.refusals.account_of(client);
  place_ = shared_.clients.add(*this, client, is_authenticated_ && !is_certificate_asked);
}

bool Session::identify(const std::string& client) {
  if (!place_ || client == this->client()) return true;
  const uint64_t limit = shared_.connections_per_client;
  if (limit > 0 && shared_.clients.count_of(client) >= limit) {
    shared_.access.count(Refusal::kConnectionsPerClient, client);
    return false;
  }
  shared_.clients.rename(*place_, client);
  share_ = nullptr;
  client_name_ = 0;
  account_ = shared_.refusals.account_of(client);
  is_identified_ = true;
  return true;
}

ClientShare& Session::share() {
  if (share_ == nullptr) share_ = shared_.deployment->share_of(client());
  return *share_;
}

uint32_t Session::client_name() {
  if (client_name_ == 0) client_name_ = shared_.recorder->client(client());
  return client_name_;
}

bool Session::make_room() {
  connection_.flush();  // refusals that wait must not keep the connection: see RefusalQuota
  if (is_closed()) return true;
  if (!is_idle()) return false;
  if (connection_.has_unsent() || connection_.is_paused()) {
    shared_.clients.set_idle(*place_, true);
    return false;
  }
  if (is_identified_ && connection_.is_receiving_message()) {
    shared_.clients.set_idle(*place_, false);
    return false;
  }
  shared_.access.count(Refusal::kMadeRoom, client());
  connection_.abort();
  return true;
}

bool Session::is_aged() const {
  if (shared_.connection_age_s == 0) return false;
  const double age_s = static_cast<double>(shared_.connection_age_s) * (1 + jitter_ / 4);
  return static_cast<double>(now_ns() - begun_ns_) > age_s * static_cast<double>(kNsPerS);
}

bool Session::has_aged_idle(uint64_t now_ns) {
  if (!is_aged() || !is_idle() || connection_.http() != nullptr) return false;
  if (now_ns < connection_.idle_since_ns(now_ns, false) + kSilenceNs) return false;
  return !connection_.is_receiving_message() && !connection_.has_unread_input();
}

void Session::update_idle() {
  if (place_ && is_idle() != shared_.clients.is_idle(*place_)) {
    shared_.clients.set_idle(*place_, is_idle());
  }
}

void Session::update_hold() {
  update_idle();
  const bool is_full =
      std::max(calls_.size(), responses_.size()) >= limits().in_flight_per_connection;
  const bool hold = is_full || is_unwelcome_ || long_message_ != nullptr;
  if (hold == is_held_) return;
  is_held_ = hold;
  connection_.hold_reading(hold);
  if (!hold) shared_.on_unsent(shared_from_this());  // flush() serves the messages that were held
}

void Session::charge_refusal() {
  if (!is_beginning_) return;
  const uint64_t now = now_ns();
  shared_.refusals.charge(account_, now);
  if (shared_.refusals.has_credit(account_, now)) return;
  are_answers_late_ = true;
  shared_.access.count(Refusal::kDelayedRefusal, client());
}

void Session::tell_unsent() {
  const auto& tell = are_answers_late_ ? shared_.on_delayed : shared_.on_unsent;
  tell(shared_from_this());
}

void Session::on_closed() {
  shared_.handshakes->forget(connection_, now_ns());
  if (long_message_ != nullptr) shared_.long_messages->forget(this);
  long_message_.reset();
  shared_.awaited.erase(this);
  shared_.on_closed(shared_from_this());
  if (place_) shared_.clients.remove(*place_);
  place_.reset();
  cancel_calls();
}

void Session::finish_when_idle() {
  is_finishing_ = true;
  if (!is_idle()) return;
  connection_.finish();
  shared_.on_unsent(shared_from_this());
}

}  // namespace ringmaster::master
