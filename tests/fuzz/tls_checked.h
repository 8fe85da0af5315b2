// CheckedServer: a TlsStream, and the rules that hold whatever a client sends. The text that comes
// out is the beginning of the text that the client wrote. States go forward. A failed stream says
// why, and does nothing more. The bytes that a stream sends of its own accord are bounded.
#pragma once

#include <openssl/ssl3.h>
#include <string>
#include <vector>

#include "fuzz.h"
#include "net/tls_stream.h"

namespace ringmaster::fuzz {

// The text that each side writes, 256 KiB in all: `size` bytes of it from `at` on.
inline std::string_view tls_text(size_t at, size_t size) {
  static const std::string all = [] {
    std::string made;
    for (uint32_t i = 1; made.size() < 256 << 10; ++i)
      made += static_cast<char>((i * i * 2654435761u) >> 24);
    return made;
  }();
  return std::string_view(all).substr(at, size);
}

struct CheckedServer {
  using State = net::TlsStream::State;

  explicit CheckedServer(const net::TlsContext& context) : stream(context) {}

  // Receives bytes of a client that has written `written` bytes of text and updated its key
  // `key_updates` times.
  void receive(std::string_view bytes, size_t written, size_t key_updates) {
    // A copy, exactly as long as the bytes: AddressSanitizer sees each read beyond its end.
    const std::vector<char> piece(bytes.begin(), bytes.end());
    const State before = stream.state();
    const std::string failure = stream.failure();
    const size_t due_bytes = stream.due().size();
    const std::string_view text = stream.receive({piece.data(), piece.size()});
    RM_ASSERT(text == tls_text(received, text.size()) && received + text.size() <= written);
    received += text.size();
    said_ += stream.due().size() - due_bytes;
    // The bounds: 8 KiB for the server's messages of the handshake, two tickets and an alert; 64
    // bytes for the answer to each key update.
    RM_ASSERT(said_ <= (8 << 10) + 64 * key_updates && stream.state() >= before);
    RM_ASSERT(has_failed() == !stream.failure().empty() && !(has_failed() && stream.may_seal()));
    if (before != State::kFailed) return;
    RM_ASSERT(text.empty() && stream.failure() == failure && stream.due().size() == due_bytes);
  }

  // Writes the next bytes of the server's text, if it may.
  void seal(size_t size) {
    const std::string_view text = tls_text(sealed, size);
    if (!stream.may_seal() || text.empty()) return;
    const size_t due_bytes = stream.due().size();
    RM_ASSERT(stream.seal(text));
    sealed += text.size();
    const size_t records = text.size() / SSL3_RT_MAX_PLAIN_LENGTH + 1;
    RM_ASSERT(stream.due().size() - due_bytes <= text.size() + 64 * records);
  }

  bool has_failed() const { return stream.state() == State::kFailed; }

  net::TlsStream stream;
  size_t received = 0;  // bytes of text
  size_t sealed = 0;

 private:
  size_t said_ = 0;
};

}  // namespace ringmaster::fuzz
