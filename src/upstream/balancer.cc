#include "upstream/balancer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/assert.h"

namespace ringmaster::upstream {
namespace {

constexpr double kHalfLifeNs = 10.0 * kNsPerS;  // of what is known of an address

}  // namespace

bool Balancer::replace(std::span<const std::string> names, uint64_t now_ns) {
  const auto is_there = [](const Address& address) { return !address.has_gone; };
  bool has_changed = false;
  for (const std::string& name : names) {
    const auto has_name = [&](const Address& one) { return is_there(one) && one.name == name; };
    if (std::ranges::any_of(addresses_, has_name)) continue;
    Address* const place = find_place();
    if (place == nullptr) break;
    *place = Address{.name = name, .seen_ns = now_ns};
    ++size_;
    has_changed = true;
  }
  const auto stays = [&](const Address& one) {
    return is_there(one) && std::ranges::count(names, one.name) > 0;
  };
  if (std::ranges::none_of(addresses_, stays)) return false;
  for (Address& address : addresses_) {
    if (!is_there(address) || stays(address)) continue;
    address.has_gone = true;
    --size_;
    ejected_ -= address.breaker.is_open();
    has_changed = true;
  }
  for (Address& address : addresses_) {
    if (ejected_ <= size_ / 2) break;
    if (!is_there(address) || !address.breaker.is_open()) continue;
    address.breaker.forgive(now_ns);
    --ejected_;
  }
  return has_changed;
}

// Returns a place to which no fetch in flight refers; null: all kPlaces places have such fetches.
Balancer::Address* Balancer::find_place() {
  const auto free = std::ranges::find_if(
      addresses_, [](const Address& one) { return one.has_gone && one.in_flight == 0; });
  if (free != addresses_.end()) return &*free;
  return addresses_.size() < kPlaces ? &addresses_.emplace_back() : nullptr;
}

Balancer::Choice Balancer::pick(Addresses tried, uint64_t now_ns) {
  std::array<size_t, kAddressesMax> found{};
  size_t count = 0;
  const auto find = [&](Addresses avoided) {
    for (size_t i = 0; i < addresses_.size(); ++i) {
      if (addresses_[i].is_asked() && (avoided >> i & 1) == 0) found[count++] = i;
    }
  };
  for (size_t i = 0; i < addresses_.size() && ejected_ > 0; ++i) {
    Breaker& breaker = addresses_[i].breaker;
    if (addresses_[i].has_gone || !breaker.is_open() || (tried >> i & 1) != 0) continue;
    if (const auto probe = breaker.try_pass(now_ns)) return begin(i, *probe);
  }
  find(tried);
  if (count == 0) find(0);
  RM_ASSERT(count > 0);  // at most half are ejected
  size_t best = found[0];
  if (count > 1) {
    const size_t first = random_() % count;
    const size_t second = (first + 1 + random_() % (count - 1)) % count;
    const bool is_better =
        is_less_loaded(addresses_[found[first]], addresses_[found[second]], now_ns);
    best = found[is_better ? first : second];
  }
  return begin(best, addresses_[best].breaker.try_pass(now_ns).value());
}

bool Balancer::has_untried(Addresses tried) const {
  for (size_t i = 0; i < addresses_.size(); ++i)
    if (addresses_[i].is_asked() && (tried >> i & 1) == 0) return true;
  return false;
}

// Answers are compared only where both addresses have given some: a time of 0 would look quick.
bool Balancer::is_less_loaded(const Address& one, const Address& other, uint64_t now_ns) {
  const bool are_known = one.answer_ns.is_known() && other.answer_ns.is_known();
  const auto load = [&](const Address& address) {
    const auto age_ns = static_cast<double>(now_ns - std::min(address.seen_ns, now_ns));
    return static_cast<double>(address.in_flight + 1) * (1 + 2 * address.breaker.cost()) *
           (are_known ? address.answer_ns.mean() : 1) * std::exp2(-age_ns / kHalfLifeNs);
  };
  return load(one) <= load(other);
}

Balancer::Choice Balancer::begin(size_t address, Breaker::Pass pass) {
  ++addresses_[address].in_flight;
  return {address, pass};
}

Balancer::Address& Balancer::end(const Choice& choice, uint64_t now_ns) {
  Address& address = addresses_[choice.address];
  --address.in_flight;
  address.seen_ns = now_ns;
  return address;
}

Breaker::Change Balancer::on_answer(const Choice& choice, uint64_t took_ns, uint64_t now_ns) {
  Address& address = end(choice, now_ns);
  address.answer_ns.add(static_cast<double>(took_ns));
  if (address.has_gone) return Breaker::Change::kNone;
  const Breaker::Change change = address.breaker.on_answer(choice.pass, took_ns, now_ns);
  if (change == Breaker::Change::kClosed) --ejected_;
  return change;
}

Breaker::Change Balancer::on_failure(const Choice& choice, uint64_t took_ns, uint64_t now_ns) {
  Address& address = end(choice, now_ns);
  if (address.has_gone) return Breaker::Change::kNone;
  const Breaker::Change change = address.breaker.on_failure(choice.pass, took_ns, now_ns);
  if (change != Breaker::Change::kOpened) return change;
  if (ejected_ + 1 > size_ / 2) {
    address.breaker.forgive(now_ns);
    for (Address& other : addresses_)  // one of them may have recovered
      if (!other.has_gone && other.breaker.is_open()) other.breaker.hasten_probe(now_ns);
    return Breaker::Change::kNone;
  }
  ++ejected_;
  return change;
}

void Balancer::on_cut_off(const Choice& choice, uint64_t took_ns, uint64_t now_ns) {
  Address& address = end(choice, now_ns);
  const auto took = static_cast<double>(took_ns);
  if (took > address.answer_ns.mean()) address.answer_ns.add(took);
}

}  // namespace ringmaster::upstream
