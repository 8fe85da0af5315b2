// TlsRecords: what a client's TLS is made of, as far as that can be seen without a key.
//
// It is asked before OpenSSL is given the bytes, which makes room for a message of the handshake as
// soon as its length is said: 128 KiB for nine bytes of somebody who is not known.
// Pure. Memory: none but this object.
#pragma once

#include <cstdint>
#include <string_view>

namespace ringmaster::net {

// Where one is in a series of parts: headers of one size, which end with the length of their body.
class TlsParts {
 public:
  TlsParts(uint32_t header_bytes, uint32_t length_bytes)
      : header_bytes_max_(header_bytes), length_bits_(8 * length_bytes) {}

  // Takes some of the bytes, at least one: those of a body that are returned, or of a header.
  std::string_view take(std::string_view& bytes);
  bool is_in_part() const { return header_bytes_ > 0 || body_bytes_ > 0; }
  // Of the body that has begun: what its header begins with, and what is yet to come.
  uint8_t type() const { return static_cast<uint8_t>(header_ >> 8 * (header_bytes_max_ - 1)); }
  uint32_t body_bytes() const { return body_bytes_; }

 private:
  const uint32_t header_bytes_max_;
  const uint32_t length_bits_;
  uint64_t header_ = 0;
  uint32_t header_bytes_ = 0;  // that have come
  uint32_t body_bytes_ = 0;
};

class TlsRecords {
 public:
  static constexpr uint32_t kMessageBytesMax = 16 << 10;

  // The next bytes of the client. `is_plain`: a message of the handshake can be read in them.
  // False: one is longer than kMessageBytesMax.
  [[nodiscard]] bool note(std::string_view bytes, bool is_plain);
  bool is_in_record() const { return records_.is_in_part(); }

 private:
  TlsParts records_{5, 2};   // type, version, length
  TlsParts messages_{4, 3};  // type, length
};

}  // namespace ringmaster::net
