#include "net/proxy_header.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace ringmaster::net {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kCommandAt = 12;
constexpr size_t kFamilyAt = 13;
constexpr size_t kLengthAt = 14;

constexpr uint8_t kLocal = 0x20;
constexpr uint8_t kProxy = 0x21;

// The families: an address family, and a stream.
constexpr uint8_t kUnspecified = 0x00;
constexpr uint8_t kTcp4 = 0x11;
constexpr uint8_t kTcp6 = 0x21;
constexpr uint8_t kUnixStream = 0x31;

// The length of the addresses, source and destination with their ports; empty: an unknown family.
std::optional<size_t> address_bytes(uint8_t family) {
  switch (family) {
    case kUnspecified:
      return 0;
    case kTcp4:
      return 2 * (4 + 2);
    case kTcp6:
      return 2 * (16 + 2);
    case kUnixStream:
      return 2 * 108;
    default:
      return std::nullopt;
  }
}

}  // namespace

void ProxyHeader::feed(size_t size) {
  size_ += size;
  const std::string_view received(bytes_.data(), size_);
  if (!kSignature.starts_with(received.substr(0, kSignature.size()))) {
    fault_ = "expected a header of the PROXY protocol, version 2";
    return;
  }
  if (size_ < expected_bytes_) return;
  if (expected_bytes_ == kFixedBytes) {
    fault_ = find_fault_in_fixed();
    if (!fault_.empty()) return;
    expected_bytes_ += byte(kLengthAt) * 256u + byte(kLengthAt + 1);
  }
  is_complete_ = size_ == expected_bytes_;
}

bool ProxyHeader::is_local() const {
  return byte(kCommandAt) == kLocal;
}

std::string ProxyHeader::find_fault_in_fixed() const {
  if (!is_local() && byte(kCommandAt) != kProxy) {
    return fmt::format("expected version 2 and the command LOCAL or PROXY, found 0x{:02x}",
                       byte(kCommandAt));
  }
  const size_t length = byte(kLengthAt) * 256u + byte(kLengthAt + 1);
  if (length > kBytesMax - kFixedBytes) {
    return fmt::format("expected a header of at most {} bytes, found {}", kBytesMax,
                       kFixedBytes + length);
  }
  if (is_local()) return "";
  const std::optional<size_t> addresses = address_bytes(byte(kFamilyAt));
  if (!addresses) {
    return fmt::format("expected the family of a TCP or unix stream, found 0x{:02x}",
                       byte(kFamilyAt));
  }
  if (length < *addresses) {
    return fmt::format("expected {} bytes of addresses, found {}", *addresses, length);
  }
  return "";
}

std::optional<sockaddr_storage> ProxyHeader::client() const {
  sockaddr_storage client{};
  const char* const addresses = bytes_.data() + kFixedBytes;
  if (is_local()) return std::nullopt;
  if (byte(kFamilyAt) == kTcp4) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(client);
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, addresses, sizeof v4.sin_addr);
    std::memcpy(&v4.sin_port, addresses + 2 * sizeof v4.sin_addr, sizeof v4.sin_port);
    return client;
  }
  if (byte(kFamilyAt) == kTcp6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(client);
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, addresses, sizeof v6.sin6_addr);
    std::memcpy(&v6.sin6_port, addresses + 2 * sizeof v6.sin6_addr, sizeof v6.sin6_port);
    return client;
  }
  return std::nullopt;
}

}  // namespace ringmaster::net
