#include "ipc/free_units.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.h"

namespace ringmaster::ipc {
namespace {

// A bit for each place in the word at which `length` set bits begin.
uint64_t places_of(uint64_t word, uint32_t length) {
  for (uint32_t covered = 1; covered < length;) {
    const uint32_t step = std::min(covered, length - covered);
    word &= word >> step;
    covered += step;
  }
  return word;
}

// `length` bits from `start` on, 1 to 64.
uint64_t bits_of(uint32_t start, uint32_t length) {
  return ~uint64_t{0} >> (64 - length) << start;
}

}  // namespace

FreeUnits::FreeUnits(uint32_t count)
    : words_(std::bit_ceil((count + kWordUnits - 1) / kWordUnits)), nodes_(2 * words_.size()) {
  RM_ASSERT(count > 0);
  set(0, count, true);
  update(0, static_cast<uint32_t>(words_.size()) - 1);
}

FreeUnits::Gaps FreeUnits::gaps_of(uint64_t word) {
  if (word == ~uint64_t{0}) return {kWordUnits, kWordUnits, kWordUnits};
  const auto front = static_cast<uint32_t>(std::countr_one(word));
  const auto back = static_cast<uint32_t>(std::countl_one(word));
  uint32_t longest = std::max(front, back);
  // Searches only longer gaps: few are left after the first step.
  for (word = places_of(word, longest + 1); word != 0; word &= word >> 1)
    ++longest;
  return {front, back, longest};
}

FreeUnits::Gaps FreeUnits::join(const Gaps& low, const Gaps& high, uint32_t half) {
  return {low.front == half ? half + high.front : low.front,
          high.back == half ? half + low.back : high.back,
          std::max({low.longest, high.longest, low.back + high.front})};
}

std::optional<uint32_t> FreeUnits::find(uint32_t length, bool is_lowest) const {
  if (nodes_[1].longest < length) return std::nullopt;
  uint32_t start = 0;
  auto half = static_cast<uint32_t>(words_.size() * kWordUnits / 2);
  size_t node = 1;
  for (; node < words_.size(); half /= 2) {
    node *= 2;
    const Gaps& low = nodes_[node];
    const Gaps& high = nodes_[node + 1];
    const bool is_in_first = (is_lowest ? low : high).longest >= length;
    if (!is_in_first && low.back + high.front >= length) {
      return start + half + (is_lowest ? -low.back : high.front - length);
    }
    if (is_in_first == is_lowest) continue;
    ++node;
    start += half;
  }
  const uint64_t places = places_of(words_[node - words_.size()], length);
  return start + static_cast<uint32_t>(is_lowest ? std::countr_zero(places)
                                                 : 63 - std::countl_zero(places));
}

void FreeUnits::set(uint32_t start, uint32_t length, bool is_free) {
  RM_ASSERT(length > 0 && start + uint64_t{length} <= words_.size() * kWordUnits);
  const uint32_t end = start + length;
  const uint32_t first = start / kWordUnits;
  for (uint32_t at = start; at < end;) {
    const uint32_t part = std::min(end - at, kWordUnits - at % kWordUnits);
    const uint64_t bits = bits_of(at % kWordUnits, part);
    uint64_t& word = words_[at / kWordUnits];
    RM_ASSERT((word & bits) == (is_free ? 0 : bits));
    word ^= bits;
    at += part;
  }
  update(first, (end - 1) / kWordUnits);
}

// Updates the nodes of these words, and the nodes above, up to the first level without a change.
void FreeUnits::update(uint32_t first_word, uint32_t last_word) {
  bool has_changed = false;
  const auto store = [&](size_t node, const Gaps& gaps) {
    has_changed |= gaps != nodes_[node];
    nodes_[node] = gaps;
  };
  size_t first = words_.size() + first_word;
  size_t last = words_.size() + last_word;
  for (size_t node = first; node <= last; ++node)
    store(node, gaps_of(words_[node - words_.size()]));
  for (uint32_t half = kWordUnits; first > 1 && std::exchange(has_changed, false); half *= 2) {
    first /= 2;
    last /= 2;
    for (size_t node = first; node <= last; ++node)
      store(node, join(nodes_[2 * node], nodes_[2 * node + 1], half));
  }
}

}  // namespace ringmaster::ipc
