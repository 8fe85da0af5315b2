// Session: sends answers, refusals, and errors about unreadable input.
#include <fmt/format.h>

#include "base/clock.h"
#include "master/frontend/session.h"

namespace ringmaster::master {
namespace {

// The HTTP status for unreadable input.
unsigned status_of(rpc::Framer::Event why, const rpc::HttpReader& http) {
  switch (why) {
    case rpc::Framer::Event::kTooLarge:
      return 413;
    case rpc::Framer::Event::kBadFrame:
      return http.fault().status;
    case rpc::Framer::Event::kNeedMore:
      return 400;
    default:
      return 200;
  }
}

}  // namespace

void Session::record_refusal(std::string_view method, const rpc::Error& error) {
  charge_refusal();
  telemetry::Recorder& recorder = *shared_.recorder;
  telemetry::Trail trail{0, 0, client_name(), recorder.name(method)};
  recorder.record(trail, telemetry::EventKind::kRefused, now_ns(),
                  {.code = error.code, .reason = recorder.name(error.reason)});
}

void Session::record_answer(std::string_view method) {
  telemetry::Recorder& recorder = *shared_.recorder;
  telemetry::Trail trail{0, 0, client_name(), recorder.name(method)};
  recorder.record(trail, telemetry::EventKind::kAnswered, now_ns());
}

void Session::answer(const rpc::Request& request, std::string_view result, Reply* reply) {
  record_answer(request.method);
  if (request.is_notification()) return;
  if (reply != nullptr) {
    return charge(reply->add_result(reply->open(), request.version, request.id, result));
  }
  respond_result(request.version, request.id, result);
}

void Session::refuse(const rpc::Request& request, const rpc::Error& error, Reply* reply) {
  record_refusal(is_built_in(request.method) ? request.method : "", error);
  if (request.is_notification()) {
    if (reply != nullptr) reply->count_error(error);
  } else if (reply != nullptr) {
    charge(reply->add_error(reply->open(), request.version, request.id, error));
  } else {
    respond_error(request.version, request.id, error);
  }
}

void Session::send_if_complete(Reply& reply) {
  if (!reply.is_complete()) return;
  charge(-reply.held_bytes());
  const std::string text = reply.take_text();
  if (reply.http()) {
    std::vector<rpc::HttpField> fields = fields_of(reply.http()->verdict);
    const std::string retry_after_s = std::to_string(reply.retry_after_s());
    if (reply.is_refused()) fields.emplace_back("Retry-After", retry_after_s);
    std::string load;
    if (shared_.endpoint_load_metrics && !shared_.is_draining) {
      const Scheduler& scheduler = shared_.deployment->dispatcher().scheduler();
      load = fmt::format("TEXT application_utilization={:.2f}", 1 - scheduler.idle_part(now_ns()));
      fields.emplace_back("endpoint-load-metrics", load);
    }
    send_http(reply.http()->place, reply.is_refused() ? 503 : 200, reply.http()->keep_alive, fields,
              text);
  } else if (text.size() >= kSentAtOnceBytes) {
    send_framed(connection_.output().size(), text, "");
  } else if (!text.empty()) {  // else there were only notifications
    respond([&text](std::string& out) { out += text; });
  }
}

void Session::on_unreadable(rpc::Framer::Event why) {
  if (!is_authenticated_ && why == rpc::Framer::Event::kTooLarge && connection_.http() == nullptr) {
    return refuse_message(count_unauthorized(), why);
  }
  rpc::Error error;
  switch (why) {
    case rpc::Framer::Event::kTooLarge:
      error =
          rpc::make_error(rpc::kRequestTooLarge, "request_too_large",
                          fmt::format("a message of more than {} bytes", limits().request_bytes));
      error.limit = limits().request_bytes;
      break;
    case rpc::Framer::Event::kNotAFraming:
      error = rpc::make_error(rpc::kParseError, "unknown_framing",
                              "expected JSON-RPC: JSON values that begin with { or [, headers that "
                              "begin with Content-, or HTTP/1.1");
      break;
    case rpc::Framer::Event::kBadFrame:
      error = rpc::make_error(rpc::kParseError, "bad_framing", bad_frame());
      break;
    default:
      error = rpc::make_error(rpc::kParseError, "incomplete",
                              "the connection ended in the middle of a message");
  }
  refuse_message(error, why);
}

std::string Session::bad_frame() const {
  if (connection_.framing() == rpc::Framing::kContentLength) {
    return "expected headers, among them one \"Content-Length: N\" with N > 0, an empty line, and "
           "N bytes";
  }
  return "expected HTTP/1.1: " + connection_.http()->fault().why;
}

void Session::refuse_message(const rpc::Error& error, rpc::Framer::Event why) {
  record_refusal("", error);
  if (connection_.http() == nullptr) return respond_error(rpc::Version::k2, "", error);
  std::string body;
  rpc::append_error(body, rpc::Version::k2, "", error);
  send_http(responses_.open(), status_of(why, *connection_.http()), false, {}, body);
}

rpc::Error Session::too_many_connections(Refusal why) const {
  const bool is_of_client = why == Refusal::kConnectionsPerClient;
  const uint64_t limit = is_of_client ? shared_.connections_per_client : limits().connections;
  rpc::Error error = rpc::make_error(
      rpc::kOverloaded, is_of_client ? "connections_per_client" : "too_many_connections",
      fmt::format("{} connections {}are open", limit, is_of_client ? "of this client " : ""));
  error.limit = limit;
  return error;
}

void Session::refuse_connection(Refusal why) {
  const rpc::Error error = too_many_connections(why);
  record_refusal("", error);
  respond_error(rpc::Version::k2, "", error);
  finish_when_idle();
}

// The body explains the error to a person; a HEAD response has none.
void Session::refuse_head(const rpc::HttpReader& head, const rpc::Error& error) {
  std::string body;
  record_refusal("", error);
  rpc::append_error(body, rpc::Version::k2, "", error);
  if (head.method() == "HEAD") body.clear();
  send_http(responses_.open(), verdict_.status, false, fields_of(verdict_), body);
}

void Session::respond_result(rpc::Version version, std::string_view id, std::string_view result,
                             std::string_view meta) {
  respond([&](std::string& out) { rpc::append_result(out, version, id, result, meta); });
}

void Session::respond_error(rpc::Version version, std::string_view id, const rpc::Error& error,
                            std::string_view meta) {
  respond([&](std::string& out) { rpc::append_error(out, version, id, error, meta); });
}

void Session::frame_response(size_t begin) {
  std::string& out = connection_.output();
  out.insert(begin, rpc::frame_head(connection_.framing(), out.size() - begin));
  out += rpc::frame_tail(connection_.framing());
  tell_unsent();
}

void Session::send_result(rpc::Version version, std::string_view id, std::string_view result,
                          std::string_view meta) {
  std::string& out = connection_.output();
  const size_t begin = out.size();
  rpc::begin_result(out, version, id);
  send_framed(begin, result, rpc::end_of_result(version, meta));
}

void Session::send_framed(size_t begin, std::string_view body, std::string tail) {
  std::string& out = connection_.output();
  const size_t size = out.size() - begin + body.size() + tail.size();
  out.insert(begin, rpc::frame_head(connection_.framing(), size));
  tail += rpc::frame_tail(connection_.framing());
  connection_.send(body, tail);
  tell_unsent();
}

void Session::send_http(ResponseQueue::Place place, unsigned status, bool keep_alive,
                        std::span<const rpc::HttpField> fields, std::string_view body) {
  const size_t held_before = responses_.held_bytes();
  if (is_aged() && responses_.is_last(place)) is_finishing_ = true;
  // A client reads nothing after `Connection: close`, so only the last queued response has this
  // field. Later requests are refused anyway.
  const bool is_last = (shared_.is_draining || is_finishing_) && responses_.is_last(place);
  const auto append = [&](std::string& out) {
    out += rpc::http_head(status, body.size(), keep_alive && !is_last,
                          shared_.date.at(unix_now_s()), fields);
    out += body;
  };
  responses_.complete(place, append, connection_.output());
  charge(static_cast<int64_t>(responses_.held_bytes()) - static_cast<int64_t>(held_before));
  send_continue();
  update_hold();
  if (is_finishing_) finish_when_idle();
}

}  // namespace ringmaster::master
