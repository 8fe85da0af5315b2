#include "demo/feature_service/session.h"

#include <fmt/format.h>
#include <string_view>
#include <utility>

#include <boost/beast/http/status.hpp>

#include "base/clock.h"
#include "rpc/http_response.h"

namespace ringmaster::feature_service {
namespace {

constexpr net::ConnectionLimits kLimits{.message_bytes = 1 << 20};
constexpr size_t kPieceBytes = 64 << 10;
constexpr uint64_t kLookMs = 500;  // between two checks whether a client is still there

constexpr std::string_view kLastChunk = "0\r\n\r\n";

std::string_view reason_of(unsigned status) {
  namespace http = boost::beast::http;
  const auto text = http::obsolete_reason(http::int_to_status(status));
  return {text.data(), text.size()};
}

}  // namespace

Session::Session(uv_loop_t* loop, net::Stream stream, Service& service, uint64_t drip_ms,
                 OnClosed on_closed)
    : service_(service),
      drip_ms_(drip_ms),
      on_closed_(std::move(on_closed)),
      timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)),
      connection_(std::move(stream), nullptr, *this, kLimits, now_ns()) {
  connection_.start();
}

bool Session::on_head(const rpc::HttpReader& head) {
  // Only between answers: a client that gets no 100 Continue sends its body anyway, a second later.
  if (phase_ == Phase::kIdle && head.expects_continue()) {
    connection_.output() += rpc::kHttpContinue;
    start_timer(0);
  }
  return true;
}

bool Session::on_message(std::string_view) {
  const rpc::HttpReader* request = connection_.http();
  if (request == nullptr) {
    take({error_answer(400, "expected an HTTP/1 request")});
    return true;
  }
  Reply reply{service_.answer(*request), request->keep_alive(), request->is_1_0()};
  if (request->method() == "HEAD") reply.answer.text.clear();  // a HEAD response has no body
  take(std::move(reply));
  return true;
}

void Session::on_unreadable(rpc::Framer::Event why) {
  rpc::HttpReader::Fault fault{400, "these bytes"};
  if (why == rpc::Framer::Event::kNeedMore) return;  // the client has left
  if (why == rpc::Framer::Event::kTooLarge) fault = {413, "a body of more than 1 MiB"};
  if (why == rpc::Framer::Event::kBadFrame && connection_.http() != nullptr) {
    fault = connection_.http()->fault();
  }
  take({error_answer(fault.status, "expected an HTTP/1 request, found: " + fault.why)});
}

// After its end of file a client may still read, so its requests are answered.
void Session::on_ended() {
  has_input_ended_ = true;
  if (phase_ == Phase::kIdle) end();
}

void Session::take(Reply reply) {
  if (phase_ == Phase::kIdle) return begin(std::move(reply));
  next_ = std::move(reply);
  connection_.hold_reading(true);
}

void Session::begin(Reply reply) {
  reply_ = std::move(reply);
  phase_ = Phase::kDelaying;
  start_timer(reply_.answer.fate.delay_ms);
}

void Session::start_timer(uint64_t ms) {
  // The loop's time is that of its last turn: without an update the timer would fire early.
  uv_update_time(timer_->loop);
  uv_timer_start(
      timer_.get(), [](uv_timer_t* timer) { static_cast<Session*>(timer->data)->on_timer(); }, ms,
      0);
}

void Session::on_timer() {
  if (connection_.is_closed()) return on_closed_(*this);
  switch (phase_) {
    case Phase::kIdle:
      return connection_.flush();
    case Phase::kDelaying:
      return send_head();
    case Phase::kHanging:
      return connection_.has_client_ended() ? connection_.abort() : start_timer(kLookMs);
    case Phase::kSending:
      return send_more();
    case Phase::kEnding:
      return connection_.has_stalled(now_ns()) ? connection_.abort() : start_timer(kLookMs);
  }
}

void Session::send_head() {
  Answer& answer = reply_.answer;
  if (answer.fate.fault == Fault::kHang) {
    phase_ = Phase::kHanging;
    connection_.hold_reading(true);
    return start_timer(0);
  }
  phase_ = Phase::kSending;
  piece_.clear();
  piece_sent_ = 0;
  has_more_ = answer.append_piece(piece_, kPieceBytes);
  size_t length = piece_.size();
  if (answer.fate.fault == Fault::kClose) {
    piece_.resize(length / 2);
    has_more_ = false;
  }
  is_chunked_ = has_more_ && !reply_.is_http_1_0;
  // In HTTP/1.0 only the close ends a body without a length.
  if (has_more_ && reply_.is_http_1_0) reply_.keep_alive = false;
  auto out = std::back_inserter(connection_.output());
  fmt::format_to(out,
                 "HTTP/1.{} {} {}\r\nServer: feature_service\r\nContent-Type: application/json\r\n",
                 reply_.is_http_1_0 ? 0 : 1, answer.status, reason_of(answer.status));
  if (answer.status == 405) fmt::format_to(out, "Allow: POST\r\n");
  if (reply_.keep_alive == reply_.is_http_1_0) {  // not the default of the HTTP version
    fmt::format_to(out, "Connection: {}\r\n", reply_.keep_alive ? "keep-alive" : "close");
  }
  if (is_chunked_) fmt::format_to(out, "Transfer-Encoding: chunked\r\n");
  if (!has_more_) fmt::format_to(out, "Content-Length: {}\r\n", length);
  fmt::format_to(out, "\r\n");
  if (!drips()) return send_more();
  connection_.flush();
  go_on();
}

// Sends the next bytes of the body.
void Session::send_more() {
  if (piece_sent_ == piece_.size() && has_more_) {
    piece_.clear();
    piece_sent_ = 0;
    has_more_ = reply_.answer.append_piece(piece_, kPieceBytes);
  }
  const std::string_view bytes =
      std::string_view(piece_).substr(piece_sent_, drips() ? 1 : std::string_view::npos);
  piece_sent_ += bytes.size();
  std::string& out = connection_.output();
  if (is_chunked_ && !bytes.empty()) {
    fmt::format_to(std::back_inserter(out), "{:x}\r\n{}\r\n", bytes.size(), bytes);
  } else {
    out += bytes;
  }
  if (is_chunked_ && is_all_sent()) out += kLastChunk;
  connection_.flush();
  go_on();
}

// Sends more, or finishes the answer, if the socket has taken all bytes sent so far.
void Session::go_on() {
  if (phase_ != Phase::kSending || connection_.is_closed() || connection_.has_unsent()) return;
  is_all_sent() ? finish_answer() : start_timer(drips() ? drip_ms_ : 0);
}

void Session::finish_answer() {
  if (reply_.answer.fate.fault == Fault::kClose) return connection_.abort();
  if (!reply_.keep_alive || (has_input_ended_ && !next_)) return end();
  phase_ = Phase::kIdle;
  if (!next_) return;
  begin(std::move(*std::exchange(next_, std::nullopt)));
  connection_.hold_reading(false);
  connection_.flush();  // takes requests that were read while the reading was held
}

// Closes the connection once all bytes are sent.
void Session::end() {
  phase_ = Phase::kEnding;
  start_timer(kLookMs);
  connection_.finish();
  connection_.flush();
}

}  // namespace ringmaster::feature_service
