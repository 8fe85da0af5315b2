// Finds a category by its name: a perfect hash.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "demo/categories.h"

namespace ringmaster::interests {

using ringmaster::kCategories;
using ringmaster::kCategoryCount;

inline constexpr uint8_t kNoCategory = kCategoryCount;

// The beginning of a text.
using Beginning = std::array<char, 16>;

namespace detail {

// A category as a JSON string that another member follows, without its first quote: `sports",`
struct Quoted {
  // The bytes of the text, and a mask with ones in their place; both end with zeros.
  std::array<uint64_t, 2> bytes{};
  std::array<uint64_t, 2> mask{};
  uint8_t category = kNoCategory;
};

constexpr Beginning quoted(std::string_view name) {
  Beginning text{};
  std::copy(name.begin(), name.end(), text.begin());
  text[name.size()] = '"';
  text[name.size() + 1] = ',';
  return text;
}

// No two categories share a slot: found by trial, proven below.
inline constexpr size_t kSlotCount = 32;
constexpr size_t slot_of(const Beginning& text) {
  return static_cast<size_t>(text[0] + text[1] + text[4]) % kSlotCount;
}

constexpr std::array<Quoted, kSlotCount> make_slots() {
  std::array<Quoted, kSlotCount> slots{};
  for (size_t i = 0; i < kCategoryCount; ++i) {
    const Beginning text = quoted(kCategories[i]);
    Beginning mask{};
    std::fill_n(mask.begin(), kCategories[i].size() + 2, '\xff');
    slots[slot_of(text)] = {std::bit_cast<std::array<uint64_t, 2>>(text),
                            std::bit_cast<std::array<uint64_t, 2>>(mask), uint8_t(i)};
  }
  return slots;
}
inline constexpr std::array<Quoted, kSlotCount> kSlots = make_slots();

}  // namespace detail

// The category at the beginning of the text, if `",` follows it; else kNoCategory. Names are
// unpredictable, and each event takes a call: so no branch depends on the name.
constexpr uint8_t find_quoted_category(const Beginning& text) {
  const auto words = std::bit_cast<std::array<uint64_t, 2>>(text);
  const detail::Quoted& found = detail::kSlots[detail::slot_of(text)];
  const uint64_t different =
      ((words[0] ^ found.bytes[0]) & found.mask[0]) | ((words[1] ^ found.bytes[1]) & found.mask[1]);
  return different == 0 ? found.category : kNoCategory;
}

// The category with this name, or kNoCategory.
constexpr uint8_t find_category(std::string_view name) {
  if (name.size() + 2 > sizeof(Beginning)) return kNoCategory;
  const uint8_t category = find_quoted_category(detail::quoted(name));
  return category != kNoCategory && kCategories[category] == name ? category : kNoCategory;
}

static_assert([] {
  for (size_t i = 0; i < kCategoryCount; ++i) {
    if (find_category(kCategories[i]) != i) return false;
  }
  return true;
}());

}  // namespace ringmaster::interests
