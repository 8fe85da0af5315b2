// CheckedServer: a TlsStream, and what holds of it whatever arrives: nothing comes out but the
// beginning of what the client has written; states go forward; what has failed says why, and does
// nothing any more; what it has to send is bounded.
#pragma once

#include <algorithm>
#include <openssl/ssl3.h>
#include <vector>

#include "fuzz.h"
#include "net/tls_stream.h"

namespace ringmaster::fuzz {

// In one direction: enough for key updates that only the bytes between them allow.
inline constexpr size_t kTlsTextBytesMax = 256 << 10;

// What either side writes: its bytes from `at` on. They differ from those of any other place.
inline std::string_view tls_text(size_t at, size_t size) {
  static const std::string all = [] {
    std::string made;
    for (uint32_t i = 1; made.size() < kTlsTextBytesMax; ++i)
      made += static_cast<char>((i * i * 2654435761u) >> 24);
    return made;
  }();
  return std::string_view(all).substr(at, size);
}

class CheckedServer {
 public:
  using State = net::TlsStream::State;

  explicit CheckedServer(const net::TlsContext& context) : stream_(context) {}

  // Bytes of a client that has written so much in all, and updated its key so often.
  void receive(std::string_view bytes, size_t written, size_t key_updates) {
    // Exactly as long as the piece, and gone after it: nothing may look beyond, or later.
    const std::vector<char> piece(bytes.begin(), bytes.end());
    const State before = stream_.state();
    const std::string failure = stream_.failure();
    const size_t due_bytes = stream_.due().size();
    const std::string_view came = stream_.receive({piece.data(), piece.size()});
    RM_ASSERT(came == tls_text(received_, came.size()) && received_ + came.size() <= written);
    delivered_ += piece.size();
    received_ += came.size();
    said_ += stream_.due().size() - due_bytes;
    RM_ASSERT(received_ <= delivered_ && stream_.state() >= before);
    RM_ASSERT(said_ <= kOwnBytesMax + kRecordCostMax * key_updates);
    RM_ASSERT(has_failed() == !stream_.failure().empty());
    RM_ASSERT(!has_failed() || !stream_.may_seal());
    if (before != State::kFailed) return;
    RM_ASSERT(came.empty() && stream_.failure() == failure && stream_.due().size() == due_bytes);
  }

  // The next bytes of its text, where it may.
  void seal(size_t size) {
    const std::string_view bytes = tls_text(sealed_, size);
    if (!stream_.may_seal() || bytes.empty()) return;
    const size_t due_bytes = stream_.due().size();
    RM_ASSERT(stream_.seal(bytes));
    sealed_ += bytes.size();
    const size_t records = bytes.size() / SSL3_RT_MAX_PLAIN_LENGTH + 1;
    RM_ASSERT(stream_.due().size() - due_bytes <= bytes.size() + kRecordCostMax * records);
  }

  net::TlsStream& stream() { return stream_; }
  bool has_failed() const { return stream_.state() == State::kFailed; }
  bool is_over() const { return has_failed() || stream_.is_waiting(); }
  size_t received() const { return received_; }
  size_t sealed() const { return sealed_; }

 private:
  // What it says of its own accord: its flights of the handshake, two tickets, an alert.
  static constexpr size_t kOwnBytesMax = 8 << 10;
  // Of a record, beside its data; or of the answer to a key update.
  static constexpr size_t kRecordCostMax = 64;

  net::TlsStream stream_;
  size_t received_ = 0;   // text
  size_t delivered_ = 0;  // ciphertext
  size_t sealed_ = 0;
  size_t said_ = 0;
};

}  // namespace ringmaster::fuzz
