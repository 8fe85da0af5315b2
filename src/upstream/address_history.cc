#include "upstream/address_history.h"

#include <algorithm>

namespace ringmaster::upstream {
namespace {

bool are_ipv6(const std::vector<std::string>& addresses) {
  return addresses.front().find(':') != std::string::npos;
}

}  // namespace

std::vector<std::string> AddressHistory::add(const std::vector<std::string>& found,
                                             uint64_t now_ns) {
  if (!last_.empty() && are_ipv6(last_) != are_ipv6(found)) *this = {};
  const auto is_old = [&](uint64_t then_ns) { return now_ns - then_ns > kKeptNs; };
  std::erase_if(found_ns_, [&](const auto& one) { return is_old(one.second); });
  std::erase_if(rotated_ns_, is_old);
  const auto has_come_back = [&](const std::string& address) {
    return found_ns_.contains(address) && !std::ranges::binary_search(last_, address);
  };
  const auto back = static_cast<size_t>(std::ranges::count_if(found, has_come_back));
  if (2 * back > found.size()) rotated_ns_.push_back(now_ns);
  for (const std::string& address : found)
    found_ns_[address] = now_ns;
  last_ = found;
  if (rotated_ns_.size() < kRotationsMin) return found;
  std::vector<std::string> all;
  for (const auto& [address, then_ns] : found_ns_)
    all.push_back(address);
  return all;
}

}  // namespace ringmaster::upstream
