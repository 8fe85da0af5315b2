#include "master/session.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/json.h"

namespace ringmaster::master {
namespace {

constexpr std::string_view kCancel = "$/cancelRequest";
constexpr std::string_view kDiscover = "rpc.discover";

rpc::Error make_error(int32_t code, std::string reason, std::string message) {
  rpc::Error error;
  error.code = code;
  error.reason = std::move(reason);
  error.message = std::move(message);
  return error;
}

// Of HTTP, a status says more than our codes.
unsigned status_of(rpc::Framer::Event why, const rpc::HttpReader& http) {
  switch (why) {
    case rpc::Framer::Event::kBadFrame:
      return http.fault().status;
    case rpc::Framer::Event::kNeedMore:
      return 400;
    default:
      return 200;
  }
}

}  // namespace

Session::Session(net::Stream stream, const net::Connection::Events& events, Shared& shared,
                 uint64_t now_ns)
    : shared_(shared), connection_(std::move(stream), events, shared.connection_limits, now_ns) {}

bool Session::on_head(const rpc::HttpReader& head) {
  verdict_ = judge(head, shared_.origins);
  if (verdict_.status == 204) return true;
  if (verdict_.status != 200) {
    refuse_head(head, verdict_.why);
    return false;
  }
  owes_continue_ = head.expects_continue();
  send_continue();
  return true;
}

// Behind the replies to all requests before: the client would take it for one of them.
void Session::send_continue() {
  if (!owes_continue_ || !line_.is_empty()) return;
  owes_continue_ = false;
  connection_.output() += rpc::kHttpContinue;
  shared_.on_unsent(shared_from_this());
}

// A body tells the client's person what was wrong; HEAD has none.
void Session::refuse_head(const rpc::HttpReader& head, std::string_view why) {
  std::string body;
  rpc::append_error(body, rpc::Version::k2, "",
                    make_error(rpc::kInvalidRequest, "http", std::string(why)));
  if (head.method() == "HEAD") body.clear();
  send_http(line_.open(), verdict_.status, false, fields_of(verdict_), body);
}

bool Session::on_message(std::string_view text) {
  std::optional<Reply::Http> http;
  if (connection_.http() != nullptr) {
    owes_continue_ = false;
    http = {line_.open(), connection_.http()->keep_alive(), verdict_};
    if (verdict_.status == 204) {
      send_http(http->place, 204, http->keep_alive, fields_of(verdict_), "");
      return true;
    }
  }
  const rpc::Message message = rpc::parse(text, limits().batch_items);
  const bool is_json = message.requests.empty() || !message.requests.front().error ||
                       message.requests.front().error->code != rpc::kParseError;
  std::shared_ptr<Reply> reply;
  if (message.is_batch || http) {
    reply = std::make_shared<Reply>(weak_from_this(), message.is_batch, std::move(http));
  }
  for (const rpc::Request& request : message.requests)
    begin(request, reply);
  reply.reset();
  update_hold();
  return is_json;
}

void Session::begin(const rpc::Request& request, const std::shared_ptr<Reply>& reply) {
  if (request.error) return refuse(request, *request.error, reply.get());
  if (request.method == kCancel) return cancel(request, reply.get());
  if (request.method == kDiscover) return discover(request, reply.get());
  const Method* method = shared_.deployment->find_method(request.method);
  if (method == nullptr) {
    const std::string_view near = shared_.deployment->nearest_method(request.method);
    rpc::Error error = make_error(rpc::kMethodNotFound, "method_not_found",
                                  fmt::format("there is no method {:.100}", request.method));
    if (!near.empty()) error.message += fmt::format("; did you mean {}?", near);
    return refuse(request, error, reply.get());
  }
  if (shared_.is_draining) {
    rpc::Error error =
        make_error(rpc::kShuttingDown, "shutting_down", "the server is shutting down");
    error.retryable = true;
    return refuse(request, error, reply.get());
  }
  admit(*method, request, reply);
}

void Session::admit(const Method& method, const rpc::Request& request,
                    const std::shared_ptr<Reply>& reply) {
  Dispatcher& dispatcher = shared_.deployment->dispatcher();
  const auto call = std::make_shared<Call>(weak_from_this(), reply, request, dispatcher);
  call->place = calls_.size();
  calls_.push_back(call.get());
  update_hold();
  std::optional<uint64_t> timeout_ms = request.timeout_ms;
  if (verdict_.timeout_ms) timeout_ms = std::min(*verdict_.timeout_ms, timeout_ms.value_or(~0ull));
  const auto job = dispatcher.admit(method, request.params, timeout_ms, call);
  if (job) call->job = *job;
  if (request.is_notification()) call->leave_reply();
}

// As language servers have it: {"id": N}, of a request of the same connection. Who asks for more
// than a notification is told that it was heard.
void Session::cancel(const rpc::Request& request, Reply* reply) {
  const std::string_view id = json::find_member(request.params, "id");
  const auto found = std::find_if(calls_.begin(), calls_.end(), [id](const Call* call) {
    return !call->is_notification() && call->id == id;
  });
  if (found != calls_.end()) {
    const std::shared_ptr<Call> call = (*found)->shared_from_this();
    rpc::Error error = make_error(rpc::kCancelled, "cancelled", "the client has cancelled it");
    error.executed = call->dispatcher.cancel(call->job);
    call->answer_error(error);
  }
  answer(request, "null", reply);
}

// See openrpc.h. A small request with a large answer: what comes of many at once is only counted
// after the last of them, so it is limited here.
void Session::discover(const rpc::Request& request, Reply* reply) {
  const size_t waiting = connection_.output().size() + connection_.charged_bytes();
  if (waiting <= net::Connection::kUnsentBytesMax) {
    return answer(request, shared_.deployment->openrpc(), reply);
  }
  rpc::Error error = make_error(rpc::kOverloaded, "unsent_answers",
                                fmt::format("{} bytes of answers are yet to be sent", waiting));
  error.retryable = true;
  error.limit = net::Connection::kUnsentBytesMax;
  refuse(request, error, reply);
}

void Session::answer(const rpc::Request& request, std::string_view result, Reply* reply) {
  if (request.is_notification()) return;
  if (reply != nullptr) {
    return reply->add_result(*this, reply->open(), request.version, request.id, result);
  }
  respond([&](std::string& out) { rpc::append_result(out, request.version, request.id, result); });
}

void Session::refuse(const rpc::Request& request, const rpc::Error& error, Reply* reply) {
  if (request.is_notification()) {
    if (reply != nullptr) reply->count_error(error);
  } else if (reply != nullptr) {
    reply->add_error(*this, reply->open(), request.version, request.id, error);
  } else {
    respond([&](std::string& out) { rpc::append_error(out, request.version, request.id, error); });
  }
}

void Session::on_unreadable(rpc::Framer::Event why) {
  rpc::Error error;
  switch (why) {
    case rpc::Framer::Event::kTooLarge:
      error = make_error(rpc::kRequestTooLarge, "request_too_large",
                         fmt::format("a message of more than {} bytes", limits().request_bytes));
      error.limit = limits().request_bytes;
      break;
    case rpc::Framer::Event::kNotAFraming:
      error = make_error(rpc::kParseError, "unknown_framing",
                         "expected JSON-RPC: JSON values that begin with { or [, headers that "
                         "begin with Content-, netstrings, or HTTP/1.1");
      break;
    case rpc::Framer::Event::kBadFrame:
      error = make_error(rpc::kParseError, "bad_framing", bad_frame());
      break;
    default:
      error =
          make_error(rpc::kParseError, "incomplete", "the connection ended inside of a message");
  }
  refuse_message(error, why);
}

std::string Session::bad_frame() const {
  switch (connection_.framing()) {
    case rpc::Framing::kContentLength:
      return "expected headers, among them one \"Content-Length: N\" with N > 0, an empty line, "
             "and "
             "N bytes";
    case rpc::Framing::kNetstring:
      return "expected netstrings: a length above 0, \":\", so many bytes, \",\"";
    default:
      return "expected HTTP/1.1: " + connection_.http()->fault().why;
  }
}

void Session::refuse_message(const rpc::Error& error, rpc::Framer::Event why) {
  const auto append = [&](std::string& out) {
    rpc::append_error(out, rpc::Version::k2, "", error);
  };
  if (connection_.http() == nullptr) return respond(append);
  std::string body;
  append(body);
  send_http(line_.open(), status_of(why, *connection_.http()), false, {}, body);
}

void Session::refuse_connection() {
  rpc::Error error = make_error(rpc::kOverloaded, "too_many_connections",
                                fmt::format("{} connections are open", limits().connections));
  error.limit = limits().connections;
  respond([&](std::string& out) { rpc::append_error(out, rpc::Version::k2, "", error); });
  finish_when_idle();
}

void Session::on_ended() {
  finish_when_idle();
}

void Session::frame_response(size_t begin) {
  std::string& out = connection_.output();
  out.insert(begin, rpc::frame_head(connection_.framing(), out.size() - begin));
  out += rpc::frame_tail(connection_.framing());
  shared_.on_unsent(shared_from_this());
}

void Session::send_result(rpc::Version version, std::string_view id, std::string_view result) {
  std::string& out = connection_.output();
  const size_t begin = out.size();
  rpc::begin_result(out, version, id);
  std::string tail(rpc::end_of_result(version));
  const size_t size = out.size() - begin + result.size() + tail.size();
  out.insert(begin, rpc::frame_head(connection_.framing(), size));
  tail += rpc::frame_tail(connection_.framing());
  connection_.send(result, tail);
  shared_.on_unsent(shared_from_this());
}

void Session::send_http(ReplyLine::Place place, unsigned status, bool keep_alive,
                        std::span<const rpc::HttpField> fields, std::string_view body) {
  const size_t held_before = line_.held_bytes();
  // The client reads nothing behind a reply that says so; what may still come is refused anyway.
  const bool is_last = shared_.is_draining && line_.is_last(place);
  const auto append = [&](std::string& out) {
    out += rpc::http_head(status, body.size(), keep_alive && !is_last, fields);
    out += body;
  };
  line_.complete(place, append, connection_.output());
  charge(static_cast<int64_t>(line_.held_bytes()) - static_cast<int64_t>(held_before));
  send_continue();
  update_hold();
  if (is_finishing_) finish_when_idle();
}

void Session::charge(int64_t bytes) {
  connection_.charge(bytes);
  shared_.on_unsent(shared_from_this());  // so that it is counted
}

void Session::on_answered(const Call& call) {
  calls_.back()->place = call.place;
  calls_[call.place] = calls_.back();
  calls_.pop_back();
  update_hold();
  if (is_finishing_) finish_when_idle();
}

void Session::update_hold() {
  const bool hold = std::max(calls_.size(), line_.size()) >= limits().in_flight_per_connection;
  if (hold == is_held_) return;
  is_held_ = hold;
  connection_.hold_reading(hold);
  if (!hold) shared_.on_unsent(shared_from_this());  // what was read and held is due, too
}

void Session::on_closed() {
  for (const Call* call : std::exchange(calls_, {})) {
    if (!call->is_notification()) call->dispatcher.cancel(call->job);
  }
}

void Session::finish_when_idle() {
  is_finishing_ = true;
  if (!is_idle()) return;
  connection_.finish();
  shared_.on_unsent(shared_from_this());
}

}  // namespace ringmaster::master
