#include "net/tls_records.h"

#include <openssl/ssl3.h>

namespace ringmaster::net {

std::string_view TlsParts::take(std::string_view& bytes) {
  if (body_bytes_ > 0) {
    const std::string_view piece = bytes.substr(0, body_bytes_);
    bytes.remove_prefix(piece.size());
    body_bytes_ -= static_cast<uint32_t>(piece.size());
    return piece;
  }
  if (header_bytes_ == 0) header_ = 0;
  header_ = header_ << 8 | static_cast<uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  if (++header_bytes_ == header_bytes_max_) {
    header_bytes_ = 0;
    body_bytes_ = static_cast<uint32_t>(header_ & ((uint64_t{1} << length_bits_) - 1));
  }
  return {};
}

bool TlsRecords::note(std::string_view bytes, bool is_plain) {
  while (!bytes.empty()) {
    std::string_view piece = records_.take(bytes);
    if (!is_plain || records_.type() != SSL3_RT_HANDSHAKE) continue;
    while (!piece.empty()) {
      messages_.take(piece);
      if (messages_.body_bytes() > kMessageBytesMax) return false;
    }
  }
  return true;
}

}  // namespace ringmaster::net
