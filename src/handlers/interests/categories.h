// The 17 page categories of the MSNBC data, in its order: number i of a category is its place here,
// in the feature vector and among the model's classes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ringmaster::interests {

inline constexpr size_t kCategoryCount = 17;
inline constexpr std::array<std::string_view, kCategoryCount> kCategories = {
    "frontpage",  "news",    "tech",     "local",  "opinion", "on-air",
    "misc",       "weather", "msn-news", "health", "living",  "business",
    "msn-sports", "sports",  "summary",  "bbs",    "travel"};

inline constexpr uint8_t kNoCategory = kCategoryCount;

namespace detail {

inline constexpr size_t kSlotCount = 64;

// No two categories share a slot: found by trial, proven below.
constexpr size_t slot_of(std::string_view name) {
  return (name.size() + static_cast<unsigned char>(name[0]) +
          2 * static_cast<unsigned char>(name[1])) %
         kSlotCount;
}

constexpr std::array<uint8_t, kSlotCount> make_slots() {
  std::array<uint8_t, kSlotCount> slots{};
  slots.fill(kNoCategory);
  for (size_t i = 0; i < kCategoryCount; ++i)
    slots[slot_of(kCategories[i])] = uint8_t(i);
  return slots;
}
inline constexpr std::array<uint8_t, kSlotCount> kSlots = make_slots();

}  // namespace detail

// The category of that name, or kNoCategory. It is looked up once an event: hence the table.
constexpr uint8_t find_category(std::string_view name) {
  if (name.size() < 2) return kNoCategory;
  const uint8_t category = detail::kSlots[detail::slot_of(name)];
  return category != kNoCategory && kCategories[category] == name ? category : kNoCategory;
}

static_assert([] {
  for (size_t i = 0; i < kCategoryCount; ++i) {
    if (find_category(kCategories[i]) != i) return false;
  }
  return true;
}());

}  // namespace ringmaster::interests
