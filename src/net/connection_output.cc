// Connection: sends output, through TLS, and closes.
#include <algorithm>
#include <sys/socket.h>
#include <utility>

#include "base/clock.h"
#include "net/buffer.h"
#include "net/connection.h"

namespace ringmaster::net {
namespace {

// A long output is encrypted in parts of this size, enough for one write.
constexpr size_t kSealedBytes = 128 << 10;

// The longest write. The system copies the bytes meanwhile and, if the client is on this machine,
// receives them, too: 5 MB took up to 28 ms. Other connections would wait for the loop.
constexpr size_t kWrittenBytesMax = 512 << 10;

// A string that has grown beyond this gives its memory back when it is empty.
constexpr size_t kKeptBytes = 16 << 10;

}  // namespace

struct Connection::Write {
  uv_write_t request{};
  std::string bytes;
  size_t begin;            // bytes that were written before the first request
  size_t taken;            // bytes that were written before this request
  size_t part;             // bytes of this request
  Connection* connection;  // null once destroyed
};

Connection::~Connection() {
  if (write_ != nullptr) write_->connection = nullptr;
}

void Connection::clear(std::string& bytes) {
  bytes.clear();
  if (bytes.capacity() > kKeptBytes) bytes.shrink_to_fit();
}

void Connection::flush() {
  if (is_closed()) return;
  if (!is_held_ && !is_paused_ && !unread_.empty() && !is_unreadable_ && !is_finishing_)
    hand_out_messages();
  end_if_tls_has();
  write_due();
  if (is_closed()) return;
  if (output_.empty()) clear(output_);  // send() may have emptied it
  update_reading();
  linger_when_sent();
  tell_memory();
}

// Encrypts a long output part by part, to save memory. False: TLS has failed.
bool Connection::seal_output(TlsStream& tls) {
  if (!tls.due().empty() || output_.empty() || !tls.may_seal()) return true;
  const size_t size = std::min(output_.size() - sealed_, kSealedBytes);
  const bool is_sealed = tls.seal({output_.data() + sealed_, size});
  sealed_ += size;
  // Erases only when half is encrypted: to move the rest each time would take too long.
  if (sealed_ >= output_.size() / 2) output_.erase(0, std::exchange(sealed_, 0));
  return is_sealed;
}

void Connection::write_due() {
  size_t sealed_bytes = 0;
  while (write_ == nullptr) {
    if (tls_ != nullptr && !seal_output(*tls_)) return close();
    std::string& due = tls_ == nullptr ? output_ : tls_->due();
    if (due.empty()) return;
    if (sealed_bytes >= kWrittenBytesMax) return write_rest(due, 0);  // the next turn goes on
    const uv_buf_t buffer = make_buffer(due.data(), std::min(due.size(), kWrittenBytesMax));
    const int written = uv_try_write(&stream_->stream, &buffer, 1);
    if (written < 0 && written != UV_EAGAIN) return close();
    const auto taken = static_cast<size_t>(std::max(written, 0));
    if (taken < due.size()) return write_rest(due, taken);
    sealed_bytes += taken;
    clear(due);
  }
}

void Connection::send(std::string_view body, std::string_view tail) {
  size_t taken = 0;
  if (write_ == nullptr && !is_closed() && tls_ == nullptr) {
    size_t left = kWrittenBytesMax;
    const auto buffer = [&left](std::string_view bytes) {
      const size_t size = std::min(bytes.size(), left);
      left -= size;
      return make_buffer(const_cast<char*>(bytes.data()), size);
    };
    const uv_buf_t buffers[] = {buffer(output_), buffer(body), buffer(tail)};
    // Ignores errors: callers do not expect a close here, and the next flush() fails, too.
    taken = static_cast<size_t>(std::max(uv_try_write(&stream_->stream, buffers, 3), 0));
  }
  const auto take = [&taken](std::string_view bytes) {
    const size_t of_these = std::min(taken, bytes.size());
    taken -= of_these;
    return bytes.substr(of_these);
  };
  output_.erase(0, output_.size() - take(output_).size());
  body = take(body);
  tail = take(tail);
  output_.reserve(output_.size() + body.size() + tail.size());
  output_ += body;
  output_ += tail;
}

// Counts all parts of write_: they keep their memory until the last one is written.
uint64_t Connection::unsent_bytes() const {
  return output_.size() + (tls_ != nullptr ? tls_->due().size() : 0) +
         (write_ != nullptr ? write_->bytes.size() - write_->begin : 0);
}

// Hands the bytes to libuv part by part; `taken` of them are written already.
void Connection::write_rest(std::string& bytes, size_t taken) {
  write_ = new Write{{}, std::exchange(bytes, {}), taken, taken, 0, this};
  write_->request.data = write_;
  write_part();
}

void Connection::write_part() {
  write_->part = std::min(write_->bytes.size() - write_->taken, kWrittenBytesMax);
  unsent_bytes_ = write_->part;
  sent_ns_ = now_ns();
  const uv_buf_t buffer = make_buffer(write_->bytes.data() + write_->taken, write_->part);
  const int error =
      uv_write(&write_->request, &stream_->stream, &buffer, 1, [](uv_write_t* request, int status) {
        std::unique_ptr<Write> write(static_cast<Write*>(request->data));
        Connection* self = write->connection;
        if (self == nullptr) return;
        write->taken += write->part;
        const bool has_more = status == 0 && write->taken < write->bytes.size();
        if (has_more && !self->is_closed()) {
          [[maybe_unused]] Write* const again = write.release();  // libuv's once more
          return self->write_part();
        }
        self->write_ = nullptr;
        if (self->is_closed()) return;
        if (status != 0) return self->close();
        self->flush();
      });
  if (error != 0) {  // libuv makes no callback then
    delete std::exchange(write_, nullptr);
    close();
  }
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

}  // namespace ringmaster::net
