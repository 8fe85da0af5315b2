// Cidr: a range of IP addresses, "10.0.0.0/8", "fd00::/8", or a single one, "192.0.2.7".
//
// An IPv4 client of an IPv6 socket (::ffff:10.1.2.3) is an IPv4 client, and a range in that form is
// an IPv4 range. "::/0" contains every IPv6 client, and no IPv4 one.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace ringmaster::net {

class Cidr {
 public:
  // Fails with what was expected. Bits beyond the length must be 0: "10.1.2.3/8" is ambiguous.
  static tl::expected<Cidr, std::string> parse(std::string_view text);

  // False if `client` has no IP address.
  bool contains(const sockaddr_storage& client) const;
  // As configured.
  const std::string& text() const { return text_; }
  bool operator==(const Cidr&) const = default;

 private:
  // An address of either kind: IPv4 ones begin with ::ffff:0:0/96.
  using Bytes = std::array<uint8_t, sizeof(in6_addr)>;
  static bool is_v4(const Bytes& bytes);
  bool is_in(const Bytes& bytes) const;

  Bytes bytes_{};
  uint32_t bits_ = 0;  // length of the prefix
  std::string text_;
};

inline bool is_in_any(const std::vector<Cidr>& ranges, const sockaddr_storage& client) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const Cidr& range) { return range.contains(client); });
}

}  // namespace ringmaster::net
