// TlsStream: the TLS of one connection, server side: ciphertext in, plaintext out, and the reverse.
//
// No I/O: due() has the bytes to send, in order, TLS's own messages included.
// Memory: measured (TLS 1.3, OpenSSL 3.0): see Bounds in docs/architecture.md. A record or a
//         handshake message that has come only in part is kept inside, at most 17 KiB.
// Limits: a handshake message: TlsRecords::kMessageBytesMax; key updates of the client: 16, and one
//         for each 64 KiB that it has sent.
// Death:  of the client: not seen here; a broken-off record leaves is_waiting() true.
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
    kEnded,   // the client will send no more; we may still send
    kFailed,  // failure() says why, and due() has the alert, if any
  };
  State state() const { return state_; }
  // Whether the handshake was completed: still true once the stream has ended or failed. One
  // receive() may complete the handshake and end the stream.
  bool has_shaken_hands() const { return has_shaken_hands_; }
  const std::string& failure() const { return failure_; }
  // The subject of the client's certificate, at most 200 bytes; empty: none.
  std::string client_subject() const;
  // Whether a handshake or a record that the client has begun is incomplete.
  bool is_waiting() const;

  // Takes at most kReceivedMax bytes of the client. Returns their plaintext, valid until any stream
  // receives again.
  std::string_view receive(std::string_view ciphertext);

  // Whether seal() may be called: after the handshake, until end(), but not while a later handshake
  // message of the client is incomplete.
  bool may_seal() const;
  // Adds the ciphertext to due(). False: TLS has failed. REQUIRES: may_seal().
  [[nodiscard]] bool seal(std::string_view plaintext);
  // Adds close_notify to due(), if TLS still allows it; further calls do nothing.
  void end();

  // The ciphertext to send next; the caller empties it after sending.
  std::string& due() { return due_; }

 private:
  // The BIO: OpenSSL reads input_ and writes due_.
  struct Transport;

  bool has_updated_too_often() const;
  void fail(int error);

  Ssl ssl_;
  std::string_view input_;  // the part of receive()'s argument that OpenSSL has not read
  std::string due_;
  std::string failure_;
  TlsRecords records_;
  uint64_t key_updates_ = 0;  // by the client
  uint64_t plaintext_bytes_ = 0;
  State state_ = State::kHandshake;
  bool has_shaken_hands_ = false;
  bool has_ended_ = false;  // end() was called
};

}  // namespace ringmaster::net
