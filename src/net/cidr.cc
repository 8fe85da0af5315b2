#include "net/cidr.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>

#include "base/ascii.h"

namespace ringmaster::net {
namespace {

constexpr std::array<uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr uint32_t kV4PrefixBits = kV4Prefix.size() * 8;
constexpr uint32_t kV4Bits = 32;
constexpr uint32_t kV6Bits = 128;

constexpr std::string_view kExpected =
    "expected a range of addresses, such as \"10.0.0.0/8\", \"fd00::/8\" or \"192.0.2.7\"";

}  // namespace

bool Cidr::is_v4(const Bytes& bytes) {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes.begin());
}

tl::expected<Cidr, std::string> Cidr::parse(std::string_view text) {
  const auto fault = [](std::string_view what) { return tl::unexpected(std::string(what)); };
  Cidr cidr;
  cidr.text_ = text;
  const size_t slash = std::min(text.find('/'), text.size());
  const std::string address(text.substr(0, slash));
  const bool is_dotted = address.find(':') == std::string::npos;
  std::copy(kV4Prefix.begin(), kV4Prefix.end(), cidr.bytes_.begin());
  uint8_t* const to = is_dotted ? cidr.bytes_.data() + kV4Prefix.size() : cidr.bytes_.data();
  if (::inet_pton(is_dotted ? AF_INET : AF_INET6, address.c_str(), to) != 1) {
    return fault(kExpected);
  }
  const uint32_t most = is_dotted ? kV4Bits : kV6Bits;
  uint32_t length = most;
  if (slash < text.size()) {
    length = to_number<uint32_t>(text.substr(slash + 1)).value_or(most + 1);
    if (length > most) {
      return fault(is_dotted ? "expected a length of 0 to 32 bits after the /"
                             : "expected a length of 0 to 128 bits after the /");
    }
  }
  cidr.bits_ = length + (is_dotted ? kV4PrefixBits : 0);
  Bytes rest = cidr.bytes_;
  for (uint32_t bit = 0; bit < cidr.bits_; ++bit)
    rest[bit / 8] &= static_cast<uint8_t>(~(0x80u >> bit % 8));
  if (rest != Bytes{}) return fault("expected only zeros beyond the length after the /");
  return cidr;
}

bool Cidr::is_in(const Bytes& bytes) const {
  if (is_v4(bytes) != (is_v4(bytes_) && bits_ >= kV4PrefixBits)) return false;
  const uint32_t whole = bits_ / 8;
  if (!std::equal(bytes.begin(), bytes.begin() + whole, bytes_.begin())) return false;
  const uint32_t left = bits_ % 8;
  return left == 0 || ((bytes[whole] ^ bytes_[whole]) >> (8 - left)) == 0;
}

bool Cidr::contains(const sockaddr_storage& client) const {
  Bytes bytes{};
  if (client.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(client);
    std::copy(kV4Prefix.begin(), kV4Prefix.end(), bytes.begin());
    std::memcpy(bytes.data() + kV4Prefix.size(), &v4.sin_addr, sizeof v4.sin_addr);
  } else if (client.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(client);
    std::memcpy(bytes.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
  } else {
    return false;
  }
  return is_in(bytes);
}

}  // namespace ringmaster::net
