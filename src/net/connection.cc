#include "net/connection.h"

#include <algorithm>
#include <poll.h>
#include <utility>

#include "base/clock.h"
#include "base/thread_clock.h"
#include "net/buffer.h"

namespace ringmaster::net {
namespace {

// One buffer for all connections: libuv reads into it and calls on_read() in the same call. Up to
// this many bytes of one client, some thousand requests, are served before others are read.
constexpr size_t kReadBytes = 64 << 10;
char read_buffer[kReadBytes];
static_assert(kReadBytes <= TlsStream::kReceivedMax);

// The timeout of the first bytes, and of a message. Each byte of a message adds the time that it
// takes at the slowest rate.
constexpr uint64_t kMessageTimeoutNs = 10 * kNsPerS;
constexpr uint64_t kSlowestBytesPerS = 64 << 10;

// How long a client may take to close after everything was sent.
constexpr uint64_t kLingerNs = 500 * kNsPerMs;

// The clock is read after kMeasuredBytes of messages. Each message counts kMessageCostBytes more.
constexpr size_t kMeasuredBytes = 4 << 10;
constexpr size_t kMessageCostBytes = 256;

}  // namespace

Connection::Connection(Stream stream, std::unique_ptr<TlsStream> tls, Events& events,
                       const ConnectionLimits& limits, uint64_t now_ns)
    : stream_(std::move(stream)),
      tls_(std::move(tls)),
      events_(events),
      limits_(limits),
      framer_(limits.message_bytes),
      waiting_since_ns_(now_ns) {
  stream_->stream.data = this;
}

void Connection::update_reading() {
  const bool wants_messages =
      !is_held_ && unread_.empty() && !is_unreadable_ && unsent_bytes() <= kUnsentBytesMax;
  const bool wanted =
      !is_closed() && !is_at_eof_ && !is_delayed_ && (wants_messages || is_finishing_);
  if (wanted == is_reading_) return;
  is_reading_ = wanted;
  if (!wanted) {
    if (!is_closed()) uv_read_stop(&stream_->stream);
    return;
  }
  if (!is_shaking_hands()) {
    waiting_since_ns_ = now_ns();  // no timeout runs while reading is held
    message_bytes_ = 0;
  }
  const auto allocate = [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
    auto* self = static_cast<Connection*>(handle->data);
    *buffer = make_buffer(nullptr, 0);
    // Without room, libuv reports UV_ENOBUFS, and tries again in the next turn.
    if (!self->may_read_now()) return;
    std::span<char> room;
    if (!self->is_finishing_ && self->tls_ == nullptr) room = self->framer_.room();
    self->is_into_room_ = !room.empty();
    if (room.empty()) room = read_buffer;
    room = room.first(std::min(room.size(), kReadBytesMax));
    *buffer = make_buffer(room.data(), room.size());
  };
  const int error = uv_read_start(&stream_->stream, allocate,
                                  [](uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
                                    auto* self = static_cast<Connection*>(stream->data);
                                    if (size > 0) {
                                      self->on_read({buffer->base, static_cast<size_t>(size)});
                                    } else if (size == UV_EOF) {
                                      self->on_end();
                                    } else if (size == UV_ENOBUFS) {
                                      // may_read_now() may have called delay().
                                      self->update_reading();
                                    } else if (size < 0) {
                                      self->close();
                                    }
                                  });
  if (error != 0) close();
}

void Connection::on_read(std::string_view bytes) {
  if (is_finishing_) return;
  const bool was_mid_message = is_mid_message();
  has_message_come_ = false;
  if (is_into_room_) {
    framer_.feed_room(bytes.size());
    hand_out_messages();
  } else if (tls_ == nullptr) {
    framer_.feed(bytes);
    hand_out_messages();
  } else {
    read_tls(*tls_, bytes);
  }
  if (is_closed()) return;
  // A message's timeout, and the count of its bytes, start with its first bytes. Blanks, and TLS
  // records without data, do not end the timeout of the first bytes.
  const bool is_decided = framer_.framing() != rpc::Framing::kUndecided;
  if (is_decided && (!was_mid_message || has_message_come_ || !is_mid_message())) {
    waiting_since_ns_ = now_ns();
    message_bytes_ = 0;
  }
  message_bytes_ += bytes.size();
  update_reading();
  tell_memory();
}

// receive() may also add TLS's own messages to the output, and find the end of the stream.
void Connection::read_tls(TlsStream& tls, std::string_view bytes) {
  const bool was_shaking_hands = is_shaking_hands();
  const uint64_t begun_ns = was_shaking_hands ? thread_cpu_ns() : 0;
  const std::string_view plaintext = tls.receive(bytes);
  if (was_shaking_hands) events_.on_handshake(thread_cpu_ns() - begun_ns);
  if (is_closed()) return;
  if (!plaintext.empty()) {
    framer_.feed(plaintext);
    hand_out_messages();
  }
  if (tls.state() == TlsStream::State::kFailed) {
    events_.on_tls_failed(tls.failure());
    if (write_ != nullptr) return close();  // an alert could not overtake the unsent bytes
    output_.clear();
    sealed_ = 0;
    is_unreadable_ = true;
    finish();
  }
  end_if_tls_has();
  write_due();
  if (!is_closed()) linger_when_sent();
}

// Reports the end of the TLS stream only once the messages before it were handed out.
void Connection::end_if_tls_has() {
  const bool has_ended = tls_ != nullptr && tls_->state() == TlsStream::State::kEnded;
  if (has_ended && !is_at_eof_ && !is_held_ && unread_.empty()) on_end();
}

bool Connection::is_shaking_hands() const {
  return tls_ != nullptr && tls_->state() == TlsStream::State::kHandshake;
}

bool Connection::may_read_now() {
  // Handshakes have a budget of their own, apart from the reading time of other connections.
  if (is_shaking_hands() && !is_finishing_) return events_.may_shake_hands();
  ReadingTurns* const turns = events_.reading_turns();
  return turns == nullptr || turns->may_read(last_round_, now_ns());
}

bool Connection::is_mid_message() const {
  return framer_.is_mid_message() || (tls_ != nullptr && tls_->is_waiting());
}

void Connection::hand_out_messages() {
  std::string_view message;
  bool is_over = false;
  while (!is_over && !is_held_ && !is_finishing_) {
    const rpc::Framer::Event event = framer_.next(message);
    if (event == rpc::Framer::Event::kNeedMore) return clear(unread_);
    const size_t bytes = message.size();
    if (!hand_out(event, message)) {
      is_unreadable_ = true;
      events_.on_ended();
      return;
    }
    // A head is followed by its message, which may have no bytes.
    is_over = event == rpc::Framer::Event::kMessage && is_turn_over(bytes);
  }
  if (unread_.empty() && !is_finishing_) {
    unread_ = framer_.take_rest();  // the shared buffer is needed for other connections
    framer_.feed(unread_);
  }
  if (!is_over || unread_.empty() || is_closed()) return;
  is_paused_ = true;
  events_.on_paused();
}

// Asks the clock only once for several short messages: asking it takes a fortieth of the time of a
// message.
bool Connection::is_turn_over(size_t bytes) {
  ReadingTurns* const turns = events_.reading_turns();
  if (turns == nullptr || is_held_ || is_finishing_) return false;
  unmeasured_ += bytes + kMessageCostBytes;
  if (unmeasured_ < kMeasuredBytes) return false;
  unmeasured_ = 0;
  return turns->is_over(now_ns());
}

// False: no message can follow.
bool Connection::hand_out(rpc::Framer::Event event, std::string_view message) {
  switch (event) {
    case rpc::Framer::Event::kHead:
      return events_.on_head(*http());
    case rpc::Framer::Event::kMessage: {
      has_message_come_ = true;
      const bool may_follow = http() == nullptr || http()->keep_alive();
      if (!events_.on_message(message) && !framer_.skip_bad_message()) return false;
      return may_follow;
    }
    default:
      events_.on_unreadable(event);
      return false;
  }
}

void Connection::go_on() {
  is_paused_ = false;
  flush();
}

void Connection::reject_message() {
  if (framer_.skip_bad_message()) return;
  is_unreadable_ = true;
  update_reading();
  events_.on_ended();
}

void Connection::on_end() {
  is_at_eof_ = true;
  update_reading();
  if (is_lingering_) return close();
  if (is_unreadable_ || is_finishing_) return;
  if (framer_.is_mid_message() && !framer_.is_in_bad_line()) {
    events_.on_unreadable(rpc::Framer::Event::kNeedMore);
  }
  events_.on_ended();
}

void Connection::tell_memory() {
  if (is_closed()) return;
  const uint64_t held = framer_.buffered_bytes() + unread_.size() + unsent_bytes() + owners_bytes_;
  const uint64_t was = std::exchange(held_bytes_, held);
  if (held != was) events_.on_memory(was);
}

void Connection::hold_reading(bool hold) {
  is_held_ = hold;
  update_reading();
}

void Connection::resume() {
  is_delayed_ = false;
  update_reading();
}

bool Connection::has_client_ended() const {
  if (is_at_eof_ || is_reading_) return is_at_eof_;
  pollfd one{fd_of(*stream_), POLLRDHUP, 0};
  return ::poll(&one, 1, 0) == 1;
}

bool Connection::has_unread_input() const {
  pollfd one{fd_of(*stream_), POLLIN, 0};
  return ::poll(&one, 1, 0) == 1;
}

bool Connection::has_failed() const {
  pollfd one{fd_of(*stream_), 0, 0};
  return ::poll(&one, 1, 0) == 1 && (one.revents & POLLERR) != 0;
}

void Connection::finish() {
  is_finishing_ = true;
  update_reading();
}

bool Connection::has_stalled(uint64_t now_ns) {
  if (is_lingering_) return now_ns > waiting_since_ns_ + kLingerNs;
  if (write_ != nullptr) {
    const size_t left = uv_stream_get_write_queue_size(&stream_->stream);
    if (std::exchange(unsent_bytes_, left) != left) sent_ns_ = now_ns;
    if (now_ns > sent_ns_ + limits_.send_timeout_ms * kNsPerMs) return true;
  }
  const bool is_undecided = framer_.framing() == rpc::Framing::kUndecided;
  const bool owes_us = is_undecided || is_mid_message();
  // While a TLS record or handshake of the client is incomplete, output may be blocked.
  const bool is_blocked = tls_ != nullptr && !output_.empty() && !tls_->may_seal();
  if (!(is_reading_ || is_delayed_ || is_blocked) || !owes_us) return false;
  // Blanks and handshake bytes add no time: they are not part of a message.
  const uint64_t earned_ns = is_undecided ? 0 : message_bytes_ * kNsPerS / kSlowestBytesPerS;
  return now_ns > waiting_since_ns_ + kMessageTimeoutNs + earned_ns;
}

uint64_t Connection::idle_since_ns(uint64_t now_ns, bool is_owed) {
  if (is_owed || is_paused_ || write_ != nullptr) busy_ns_ = now_ns;
  return std::max(busy_ns_, waiting_since_ns_);
}

bool Connection::has_idled(uint64_t now_ns, bool is_owed) {
  const uint64_t since_ns = idle_since_ns(now_ns, is_owed);
  return limits_.idle_timeout_ms > 0 && now_ns > since_ns + limits_.idle_timeout_ms * kNsPerMs;
}

void Connection::close() {
  if (is_closed()) return;
  stream_.reset();
  events_.on_closed();
}

}  // namespace ringmaster::net
