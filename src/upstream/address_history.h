// AddressHistory: the IP addresses of a host name, from what its lookups have found.
//
// Pure: no I/O, no clock.
// Rule:   of most names a lookup finds all addresses, so one that it does not find is gone. But
//         some DNS servers give only a part of many addresses, and another part each time. A lookup
//         shows this if more than half of what it finds had been found before, but not by the last
//         lookup. After kRotationsMin such lookups within kKeptNs, an address is gone only once no
//         lookup has found it for kKeptNs.
// Family: a lookup finds IPv4 or IPv6 addresses only. When it finds those of the other family, all
//         former ones are gone.
// Memory: the addresses of the lookups of the last kKeptNs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"

namespace ringmaster::upstream {

class AddressHistory {
 public:
  static constexpr uint64_t kKeptNs = 300 * kNsPerS;
  static constexpr size_t kRotationsMin = 2;

  // `found`: by the latest lookup; at least one, sorted, none twice. Returns the addresses of the
  // name, sorted.
  std::vector<std::string> add(const std::vector<std::string>& found, uint64_t now_ns);

 private:
  std::map<std::string, uint64_t> found_ns_;  // when a lookup last found the address
  std::vector<std::string> last_;             // found by the last lookup
  std::deque<uint64_t> rotated_ns_;           // the lookups that found another part
};

}  // namespace ringmaster::upstream
