// TlsRecords: follows the records and handshake messages of a client, as far as they are not
// encrypted.
//
// It checks the bytes before OpenSSL gets them: OpenSSL allocates a handshake message as soon as it
// reads its length, 128 KiB for nine bytes of an unknown client.
// Pure. Memory: only this object.
#pragma once

#include <cstdint>
#include <string_view>

namespace ringmaster::net {

// The position in a series of parts: headers of fixed size that end with a length, each followed by
// a body of this length.
class TlsParts {
 public:
  TlsParts(uint32_t header_bytes, uint32_t length_bytes)
      : header_bytes_max_(header_bytes), length_bits_(8 * length_bytes) {}

  // Takes at least one byte: returns bytes of a body; nothing while it takes a header.
  std::string_view take(std::string_view& bytes);
  bool is_in_part() const { return header_bytes_ > 0 || body_bytes_ > 0; }
  // The first byte of the current header; the bytes of its body that are yet to come.
  uint8_t type() const { return static_cast<uint8_t>(header_ >> 8 * (header_bytes_max_ - 1)); }
  uint32_t body_bytes() const { return body_bytes_; }

 private:
  const uint32_t header_bytes_max_;
  const uint32_t length_bits_;
  uint64_t header_ = 0;
  uint32_t header_bytes_ = 0;  // received
  uint32_t body_bytes_ = 0;
};

class TlsRecords {
 public:
  static constexpr uint32_t kMessageBytesMax = 16 << 10;

  // Takes the client's next bytes. `is_plain`: handshake messages are not encrypted.
  // False: a message is longer than kMessageBytesMax.
  [[nodiscard]] bool note(std::string_view bytes, bool is_plain);
  bool is_in_record() const { return records_.is_in_part(); }

 private:
  TlsParts records_{5, 2};   // type, version, length
  TlsParts messages_{4, 3};  // type, length
};

}  // namespace ringmaster::net
