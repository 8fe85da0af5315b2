#include "net/connection.h"

#include <algorithm>
#include <sys/socket.h>
#include <utility>

#include "base/clock.h"

namespace ringmaster::net {
namespace {

// One buffer for all connections: libuv reads into it and hands it over within the same call. What
// fits into it is served before anybody else gets a turn: some thousand requests of a client that
// floods us.
constexpr size_t kReadBytes = 64 << 10;
char read_buffer[kReadBytes];
static_assert(kReadBytes <= TlsStream::kReceivedMax);

// So much of a long output is encrypted at once: enough for a write to be worth it.
constexpr size_t kSealedBytes = 128 << 10;

// A string that has grown beyond this gives its memory back when it is empty.
constexpr size_t kKeptBytes = 16 << 10;

void clear(std::string& bytes) {
  bytes.clear();
  if (bytes.capacity() > kKeptBytes) bytes.shrink_to_fit();
}

// What a client may take for its first bytes, or for a message: this long, and longer for a long
// message by the time that it takes at the slowest rate that we wait for.
constexpr uint64_t kPatienceNs = 10 * kNsPerS;
constexpr uint64_t kSlowestBytesPerS = 64 << 10;

// How long a client that was sent everything may take to close.
constexpr uint64_t kLingerNs = 500 * kNsPerMs;

}  // namespace

struct Connection::Write {
  uv_write_t request{};
  std::string bytes;
  size_t taken;            // of these, before
  Connection* connection;  // null once that is gone
};

Connection::Connection(Stream stream, std::unique_ptr<TlsStream> tls, const Events& events,
                       const ConnectionLimits& limits, uint64_t now_ns)
    : stream_(std::move(stream)),
      tls_(std::move(tls)),
      events_(events),
      limits_(limits),
      framer_(limits.message_bytes),
      waiting_since_ns_(now_ns) {
  stream_->stream.data = this;
}

Connection::~Connection() {
  if (write_ != nullptr) write_->connection = nullptr;
}

void Connection::update_reading() {
  const bool wants_messages =
      !is_held_ && unread_.empty() && !is_unreadable_ && unsent_bytes() <= kUnsentBytesMax;
  const bool wanted = !is_closed() && !is_at_eof_ && (wants_messages || is_finishing_);
  if (wanted == is_reading_) return;
  is_reading_ = wanted;
  if (!wanted) {
    if (!is_closed()) uv_read_stop(&stream_->stream);
    return;
  }
  waiting_since_ns_ = now_ns();  // the time that we did not read is not the client's
  message_bytes_ = 0;
  const auto allocate = [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
    auto* self = static_cast<Connection*>(handle->data);
    std::span<char> room;
    if (!self->is_finishing_ && self->tls_ == nullptr) room = self->framer_.room();
    self->is_into_room_ = !room.empty();
    if (room.empty()) room = read_buffer;
    if (!self->may_read_now()) room = {};
    *buffer = uv_buf_init(room.data(), static_cast<unsigned>(room.size()));
  };
  const int error = uv_read_start(&stream_->stream, allocate,
                                  [](uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
                                    auto* self = static_cast<Connection*>(stream->data);
                                    if (size > 0) {
                                      self->on_read({buffer->base, static_cast<size_t>(size)});
                                    } else if (size == UV_EOF) {
                                      self->on_end();
                                    } else if (size < 0 && size != UV_ENOBUFS) {  // not now
                                      self->close();
                                    }
                                  });
  if (error != 0) close();
}

void Connection::on_read(std::string_view bytes) {
  if (is_finishing_) return;
  const bool was_mid_message = is_mid_message();
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
  // The clock of a message starts with its first bytes, and so does the count of them. What decides
  // nothing, blanks and TLS of its own accord, does not stop that of the first bytes.
  const bool is_decided = framer_.framing() != rpc::Framing::kUndecided;
  if (is_decided && (!was_mid_message || !is_mid_message())) {
    waiting_since_ns_ = now_ns();
    message_bytes_ = 0;
  }
  message_bytes_ += bytes.size();
  update_reading();
  tell_memory();
}

// TLS may also have something to say of its own accord, and it may have ended.
void Connection::read_tls(TlsStream& tls, std::string_view bytes) {
  const bool is_shaking_hands = tls.state() == TlsStream::State::kHandshake;
  const uint64_t begun_ns = is_shaking_hands ? now_ns() : 0;
  const std::string_view plaintext = tls.receive(bytes);
  if (is_shaking_hands) events_.on_handshake(now_ns() - begun_ns);
  if (!plaintext.empty()) {
    framer_.feed(plaintext);
    hand_out_messages();
  }
  if (tls.state() == TlsStream::State::kFailed) {
    events_.on_insecure(*this, tls.failure());
    if (write_ != nullptr) return close();  // no alert would arrive, for all that is before it
    output_.clear();
    sealed_ = 0;
    is_unreadable_ = true;
    finish();
  }
  end_if_tls_has();
  write_due();
  if (!is_closed()) linger_when_sent();
}

// What came before the end is handed out first.
void Connection::end_if_tls_has() {
  const bool has_ended = tls_ != nullptr && tls_->state() == TlsStream::State::kEnded;
  if (has_ended && !is_at_eof_ && !is_held_ && unread_.empty()) on_end();
}

bool Connection::may_read_now() const {
  const bool is_shaking_hands = tls_ != nullptr && tls_->state() == TlsStream::State::kHandshake;
  return !is_shaking_hands || is_finishing_ || events_.may_shake_hands();
}

bool Connection::is_mid_message() const {
  return framer_.is_mid_message() || (tls_ != nullptr && tls_->is_waiting());
}

void Connection::hand_out_messages() {
  std::string_view message;
  while (!is_held_ && !is_finishing_) {
    const rpc::Framer::Event event = framer_.next(message);
    if (event == rpc::Framer::Event::kNeedMore) return clear(unread_);
    if (hand_out(event, message)) continue;
    is_unreadable_ = true;
    events_.on_ended(*this);
    return;
  }
  if (!unread_.empty() || is_finishing_) return;
  unread_ = framer_.take_rest();  // the buffer that it lies in is for others to read into
  framer_.feed(unread_);
}

// False: nothing can follow.
bool Connection::hand_out(rpc::Framer::Event event, std::string_view message) {
  switch (event) {
    case rpc::Framer::Event::kHead:
      return events_.on_head(*this, *http());
    case rpc::Framer::Event::kMessage:
      if (!events_.on_message(*this, message) && !framer_.skip_bad_message()) return false;
      return http() == nullptr || http()->keep_alive();
    default:
      events_.on_unreadable(*this, event);
      return false;
  }
}

void Connection::on_end() {
  is_at_eof_ = true;
  update_reading();
  if (is_lingering_) return close();
  if (is_unreadable_ || is_finishing_) return;
  if (framer_.is_mid_message() && !framer_.is_in_bad_line()) {
    events_.on_unreadable(*this, rpc::Framer::Event::kNeedMore);
  }
  events_.on_ended(*this);
}

void Connection::flush() {
  if (is_closed()) return;
  if (!is_held_ && !unread_.empty() && !is_unreadable_ && !is_finishing_) hand_out_messages();
  end_if_tls_has();
  write_due();
  if (is_closed()) return;
  if (output_.empty()) clear(output_);  // send() may have emptied it
  update_reading();
  linger_when_sent();
  tell_memory();
}

// Of a long output a part at a time, so that it is not there twice. False: it cannot be sent.
bool Connection::seal_output(TlsStream& tls) {
  if (!tls.due().empty() || output_.empty() || !tls.may_seal()) return true;
  const size_t size = std::min(output_.size() - sealed_, kSealedBytes);
  const bool is_sealed = tls.seal({output_.data() + sealed_, size});
  sealed_ += size;
  // In halves: to move what is left each time would take too long.
  if (sealed_ >= output_.size() / 2) output_.erase(0, std::exchange(sealed_, 0));
  return is_sealed;
}

void Connection::write_due() {
  while (write_ == nullptr) {
    if (tls_ != nullptr && !seal_output(*tls_)) return close();
    std::string& due = tls_ == nullptr ? output_ : tls_->due();
    if (due.empty()) return;
    const uv_buf_t buffer = uv_buf_init(due.data(), static_cast<unsigned>(due.size()));
    const int written = uv_try_write(&stream_->stream, &buffer, 1);
    if (written < 0 && written != UV_EAGAIN) return close();
    const auto taken = static_cast<size_t>(std::max(written, 0));
    if (taken < due.size()) return write_rest(due, taken);
    clear(due);
  }
}

void Connection::send(std::string_view body, std::string_view tail) {
  size_t taken = 0;
  if (write_ == nullptr && !is_closed() && tls_ == nullptr) {
    const auto buffer = [](std::string_view bytes) {
      return uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
    };
    const uv_buf_t buffers[] = {buffer(output_), buffer(body), buffer(tail)};
    // What is wrong with the connection the next flush will find, too: nobody expects it to be
    // closed here.
    taken = static_cast<size_t>(std::max(uv_try_write(&stream_->stream, buffers, 3), 0));
  }
  const auto take = [&taken](std::string_view bytes) {
    const size_t of_these = std::min(taken, bytes.size());
    taken -= of_these;
    return bytes.substr(of_these);
  };
  output_.erase(0, output_.size() - take(output_).size());
  output_ += take(body);
  output_ += take(tail);
}

uint64_t Connection::unsent_bytes() const {
  return output_.size() + (tls_ != nullptr ? tls_->due().size() : 0) +
         (write_ != nullptr ? write_->bytes.size() - write_->taken : 0);
}

void Connection::tell_memory() {
  if (is_closed()) return;
  const uint64_t held = framer_.buffered_bytes() + unread_.size() + unsent_bytes() + owners_bytes_;
  const uint64_t was = std::exchange(held_bytes_, held);
  if (held != was) events_.on_memory(*this, was);
}

// Hands the bytes over to libuv, of which the system has taken so many.
void Connection::write_rest(std::string& bytes, size_t taken) {
  write_ = new Write{{}, std::exchange(bytes, {}), taken, this};
  write_->request.data = write_;
  unsent_bytes_ = write_->bytes.size() - taken;
  sent_ns_ = now_ns();
  const uv_buf_t buffer =
      uv_buf_init(write_->bytes.data() + taken, static_cast<unsigned>(unsent_bytes_));
  const int error =
      uv_write(&write_->request, &stream_->stream, &buffer, 1, [](uv_write_t* request, int status) {
        const std::unique_ptr<Write> write(static_cast<Write*>(request->data));
        Connection* self = write->connection;
        if (self == nullptr) return;
        self->write_ = nullptr;
        if (self->is_closed()) return;
        if (status != 0) return self->close();
        self->flush();
      });
  if (error != 0) {  // libuv calls nothing back then
    delete std::exchange(write_, nullptr);
    close();
  }
}

void Connection::hold_reading(bool hold) {
  is_held_ = hold;
  update_reading();
}

void Connection::finish() {
  is_finishing_ = true;
  update_reading();
}

void Connection::linger_when_sent() {
  if (!is_finishing_ || is_lingering_ || !output_.empty() || write_ != nullptr) return;
  if (tls_ != nullptr) {
    tls_->end();
    write_due();
    if (is_closed() || write_ != nullptr) return;
  }
  if (is_at_eof_) return close();
  if (::shutdown(fd_of(*stream_), SHUT_WR) != 0) return close();
  is_lingering_ = true;
  waiting_since_ns_ = now_ns();
}

bool Connection::has_stalled(uint64_t now_ns) {
  if (is_lingering_) return now_ns > waiting_since_ns_ + kLingerNs;
  if (write_ != nullptr) {
    const size_t left = uv_stream_get_write_queue_size(&stream_->stream);
    if (std::exchange(unsent_bytes_, left) != left) sent_ns_ = now_ns;
    if (now_ns > sent_ns_ + limits_.send_timeout_ms * kNsPerMs) return true;
  }
  const bool owes_us = framer_.framing() == rpc::Framing::kUndecided || is_mid_message();
  // It may have begun something of TLS in the midst of which it cannot be sent anything.
  const bool is_blocked = tls_ != nullptr && !output_.empty() && !tls_->may_seal();
  if (!(is_reading_ || is_blocked) || !owes_us) return false;
  const uint64_t allowed_ns = kPatienceNs + message_bytes_ * kNsPerS / kSlowestBytesPerS;
  return now_ns > waiting_since_ns_ + allowed_ns;
}

bool Connection::has_idled(uint64_t now_ns, bool is_owed) {
  if (is_owed || write_ != nullptr) busy_ns_ = now_ns;
  const uint64_t since_ns = std::max(busy_ns_, waiting_since_ns_);
  return limits_.idle_timeout_ms > 0 && now_ns > since_ns + limits_.idle_timeout_ms * kNsPerMs;
}

void Connection::close() {
  if (is_closed()) return;
  stream_.reset();
  events_.on_closed(*this);
}

}  // namespace ringmaster::net
