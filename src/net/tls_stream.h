// TlsStream: the TLS of one connection, server side: ciphertext in, plaintext out, and the reverse.
//
// No I/O: what is to be sent is in due(), also what TLS says of its own accord, and goes out in its
// order. Nothing is copied but by the encryption itself.
// Memory: measured (TLS 1.3, OpenSSL 3.0): see Bounds in docs/architecture.md. A record that has
//         come only in part is kept inside, at most 17 KiB; so is such a message of the handshake.
// Limits: of a message of the handshake TlsRecords::kMessageBytesMax; 16 key updates of the client,
//         and one more for each 64 KiB that it has sent.
// Death:  of the client: none here; what it has broken off is seen as is_waiting().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/tls_context.h"
#include "net/tls_records.h"

namespace ringmaster::net {

class TlsStream {
 public:
  static constexpr size_t kReceivedMax = 64 << 10;

  explicit TlsStream(const TlsContext& context);
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  enum class State : uint8_t {
    kHandshake,
    kOpen,
    kEnded,   // the client will send no more; it may still be sent to
    kFailed,  // nothing goes on: failure() says why, and due() has the alert, where there is one
  };
  State state() const { return state_; }
  const std::string& failure() const { return failure_; }
  // Of the certificate that the client has shown, at most 200 bytes of it; empty: none.
  std::string client_subject() const;
  // Whether the client has begun something and not ended it: a handshake, a record.
  bool is_waiting() const;

  // Takes what the client has sent, at most kReceivedMax: the plaintext that has come of it, valid
  // until any stream receives again.
  std::string_view receive(std::string_view ciphertext);

  // May anything be sealed? Once the handshake is through, until end(). A client may have begun
  // something that it must end first: see is_waiting().
  bool may_seal() const;
  // Adds the ciphertext of it to due(). False: it has failed. REQUIRES: may_seal().
  [[nodiscard]] bool seal(std::string_view plaintext);
  // Adds the end of all that we send to due(), where it may still be said. Once is enough.
  void end();

  // The ciphertext to be sent next; to be emptied by who has sent it.
  std::string& due() { return due_; }

 private:
  // How OpenSSL reads input_ and writes due_.
  struct Transport;

  bool has_updated_too_often() const;
  void fail(int error);

  Ssl ssl_;
  std::string_view input_;  // what receive() was given, as far as it is not yet taken
  std::string due_;
  std::string failure_;
  TlsRecords records_;
  uint64_t key_updates_ = 0;  // of the client
  uint64_t plaintext_bytes_ = 0;
  State state_ = State::kHandshake;
  bool has_ended_ = false;  // we
};

}  // namespace ringmaster::net
