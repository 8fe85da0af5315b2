// ProxyHeader: the header of the PROXY protocol, version 2, in which a proxy such as HAProxy tells
// the address of its client, before the client's own bytes.
//
// Source: https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt
// Limits: kBytesMax; a longer header is a fault. The header's TLVs are skipped.
// Pure. Memory: only this object.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <netinet/in.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ringmaster::net {

class ProxyHeader {
 public:
  static constexpr size_t kBytesMax = 2 << 10;

  // The room for the next bytes. It ends with the header, so the client's own bytes are not read.
  // REQUIRES: !is_complete() and no fault().
  std::span<char> room() { return std::span(bytes_).subspan(size_, expected_bytes_ - size_); }
  // `size` bytes were written to room().
  void feed(size_t size);

  bool has_begun() const { return size_ > 0; }
  bool is_complete() const { return is_complete_; }
  // Says what was expected if these bytes are no valid header; else empty.
  const std::string& fault() const { return fault_; }
  // The client's address. Empty: the header names none (a LOCAL command, a client without an IP
  // address), so the connection counts as the proxy's own. REQUIRES: is_complete().
  std::optional<sockaddr_storage> client() const;

 private:
  // The signature, version and command, family, length.
  static constexpr size_t kFixedBytes = 16;

  uint8_t byte(size_t at) const { return static_cast<uint8_t>(bytes_[at]); }
  bool is_local() const;
  std::string find_fault_in_fixed() const;

  std::array<char, kBytesMax> bytes_;
  size_t size_ = 0;  // received
  size_t expected_bytes_ = kFixedBytes;
  bool is_complete_ = false;
  std::string fault_;
};

}  // namespace ringmaster::net
