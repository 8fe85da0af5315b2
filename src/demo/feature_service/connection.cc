#include "demo/feature_service/connection.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace ringmaster::feature_service {
namespace {

constexpr size_t kPieceBytes = 64 * 1024;
constexpr size_t kWaitingBytesMax = 64 * 1024;
constexpr uint64_t kLingerMs = 1000;

Connection& owner(const void* data) {
  return *const_cast<Connection*>(static_cast<const Connection*>(data));
}

// One buffer for all connections: on_bytes() copies its bytes before libuv reads the next ones.
void lend_buffer(uv_handle_t*, size_t, uv_buf_t* buffer) {
  static char bytes[64 * 1024];
  *buffer = uv_buf_init(bytes, sizeof bytes);
}

}  // namespace

Connection::Connection(uv_loop_t* loop, Service& service, uint64_t drip_ms, OnClosed on_closed)
    : service_(service), drip_ms_(drip_ms), on_closed_(std::move(on_closed)) {
  RM_ASSERT(uv_tcp_init(loop, &socket_) == 0);
  RM_ASSERT(uv_timer_init(loop, &timer_) == 0);
  socket_.data = timer_.data = write_.data = this;
}

void Connection::accept(uv_stream_t* listener) {
  const bool is_open = uv_accept(listener, stream()) == 0 && uv_tcp_nodelay(&socket_, 1) == 0;
  is_open ? start_reading() : close();
}

void Connection::start_reading() {
  if (is_reading_ || input_ended_) return;
  is_reading_ = true;
  const auto on_read = [](uv_stream_t* from, ssize_t size, const uv_buf_t* buffer) {
    if (size < 0) return owner(from->data).on_end(static_cast<int>(size));
    owner(from->data).on_bytes({buffer->base, static_cast<size_t>(size)});
  };
  if (uv_read_start(stream(), lend_buffer, on_read) != 0) close();
}

void Connection::stop_reading() {
  is_reading_ = false;
  uv_read_stop(stream());
}

void Connection::close() {
  if (std::exchange(phase_, Phase::kClosing) == Phase::kClosing) return;
  const auto on_handle_closed = [](uv_handle_t* handle) {
    Connection& connection = owner(handle->data);
    if (--connection.open_handles_ == 0) connection.on_closed_(connection);
  };
  uv_close(reinterpret_cast<uv_handle_t*>(&socket_), on_handle_closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), on_handle_closed);
}

void Connection::on_bytes(std::string_view bytes) {
  if (phase_ == Phase::kLingering) return;
  reader_.append(bytes);
  if (phase_ == Phase::kReading) take_requests();
  // Reads also while an answer is under way, to notice a client that gives up.
  if (phase_ != Phase::kReading && phase_ != Phase::kClosing &&
      reader_.waiting_bytes() > kWaitingBytesMax) {
    stop_reading();
  }
}

// After its end of file a client may still read, so its requests are answered.
void Connection::on_end(int reason) {
  input_ended_ = true;
  if (reason != UV_EOF || phase_ == Phase::kReading || phase_ == Phase::kHanging ||
      phase_ == Phase::kLingering) {
    close();
  }
}

void Connection::take_requests() {
  while (phase_ == Phase::kReading) {
    switch (reader_.next()) {
      case RequestReader::Step::kMore:
        if (input_ended_) close();
        return;
      case RequestReader::Step::kContinue: {
        // A hint: a client that does not get it sends its body anyway, after a second or so.
        uv_buf_t hint = uv_buf_init(const_cast<char*>(kContinueHead.data()), kContinueHead.size());
        uv_try_write(stream(), &hint, 1);
        break;
      }
      case RequestReader::Step::kRequest: {
        const Request& request = reader_.request();
        head_ = {.keep_alive = request.keep_alive, .is_http_1_0 = request.is_http_1_0};
        Answer answer = service_.answer(request);
        if (request.method == "HEAD") answer.text.clear();  // a HEAD response has no body
        begin(std::move(answer));
        break;
      }
      case RequestReader::Step::kFault:
        head_ = {.keep_alive = false};
        begin(error_answer(reader_.fault_status(), reader_.fault_text()));
        break;
    }
  }
}

void Connection::begin(Answer answer) {
  answer_ = std::move(answer);
  if (answer_.fate.delay_ms > 0) {
    phase_ = Phase::kDelaying;
    start_timer(answer_.fate.delay_ms);
  } else {
    send_head();
  }
}

void Connection::send_head() {
  if (answer_.fate.fault == Fault::kHang) {
    phase_ = Phase::kHanging;
    if (input_ended_) close();
    return;
  }
  phase_ = Phase::kSending;
  piece_.clear();
  piece_sent_ = 0;
  has_more_ = answer_.append_piece(piece_, kPieceBytes);
  head_.status = answer_.status;
  if (answer_.fate.fault == Fault::kClose) {
    head_.content_length = piece_.size();
    piece_.resize(piece_.size() / 2);
    has_more_ = false;
  } else if (!has_more_) {
    head_.content_length = piece_.size();
  } else if (head_.is_http_1_0) {
    head_.keep_alive = false;  // in HTTP/1.0 only the close ends a body without a length
  }
  out_ = render_head(head_);
  if (drips()) {
    write();
  } else {
    send_more();
  }
}

// Adds the next bytes of the body to out_, and sends out_.
void Connection::send_more() {
  if (piece_sent_ == piece_.size() && has_more_) {
    piece_.clear();
    piece_sent_ = 0;
    has_more_ = answer_.append_piece(piece_, kPieceBytes);
  }
  const std::string_view bytes =
      std::string_view(piece_).substr(piece_sent_, drips() ? 1 : std::string_view::npos);
  piece_sent_ += bytes.size();
  const bool is_chunked = !head_.content_length && !head_.is_http_1_0;
  if (is_chunked && !bytes.empty()) {
    append_chunk(out_, bytes);
  } else {
    out_ += bytes;
  }
  if (is_chunked && is_all_sent()) out_ += kLastChunk;
  write();
}

void Connection::write() {
  uv_buf_t bytes = uv_buf_init(out_.data(), static_cast<unsigned>(out_.size()));
  const int error = uv_write(&write_, stream(), &bytes, 1, [](uv_write_t* done, int status) {
    owner(done->data).on_sent(status);
  });
  if (error != 0) close();
}

void Connection::on_sent(int status) {
  if (phase_ == Phase::kClosing) return;
  out_.clear();
  if (status != 0) {
    close();
  } else if (is_all_sent()) {
    finish_answer();
  } else if (drips()) {
    start_timer(drip_ms_);
  } else {
    send_more();
  }
}

void Connection::finish_answer() {
  if (answer_.fate.fault == Fault::kClose) return close();
  if (!head_.keep_alive) return linger();
  phase_ = Phase::kReading;
  // A reader that needs more has used nearly all its bytes, so reading does not stop for ever.
  if (reader_.waiting_bytes() <= kWaitingBytesMax) start_reading();
  take_requests();
}

// A close with unread input would reset the connection, and the client would lose the answer. So we
// wait a little for the client to close first.
void Connection::linger() {
  if (input_ended_) return close();
  phase_ = Phase::kLingering;
  start_reading();
  if (uv_shutdown(&shutdown_, stream(), nullptr) != 0) return close();
  start_timer(kLingerMs);
}

void Connection::start_timer(uint64_t ms) {
  // The loop's time is that of its last turn: without an update the timer would fire early.
  uv_update_time(timer_.loop);
  uv_timer_start(
      &timer_, [](uv_timer_t* timer) { owner(timer->data).on_timer(); }, ms, 0);
}

void Connection::on_timer() {
  switch (phase_) {
    case Phase::kDelaying:
      return send_head();
    case Phase::kSending:
      return send_more();
    default:
      return close();
  }
}

}  // namespace ringmaster::feature_service
