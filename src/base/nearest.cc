#include "base/nearest.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/assert.h"

namespace ringmaster {
namespace {

constexpr size_t kPrefixLengthMin = 3;

}  // namespace

EditDistance::EditDistance(std::string_view word) : size_(word.size()) {
  RM_ASSERT(size_ <= kWordBytesMax);
  for (size_t i = 0; i < size_; ++i)
    places_[static_cast<unsigned char>(word[i])] |= uint64_t{1} << i;
}

// Hyyro 2003, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances". A bit
// stands for a row of the classic table, whose columns are computed one after the other. The bit
// says whether the cell is one more, or one less, than its neighbour above (up) or to the left
// (left).
size_t EditDistance::to(std::string_view other, size_t limit) const {
  size_t distance = size_;  // in the last row
  if (size_ == 0) return std::min(other.size(), limit);
  const uint64_t last_row = uint64_t{1} << (size_ - 1);
  uint64_t more_up = ~uint64_t{0}, less_up = 0, diagonal = 0, previous = 0;
  for (size_t left = other.size(); left > 0; --left) {
    // Each further column can lower the distance by one.
    if (distance >= limit + left) return limit;
    const uint64_t same = places_[static_cast<unsigned char>(other[other.size() - left])];
    const uint64_t swapped = ((~diagonal & same) << 1) & previous;
    diagonal = (((same & more_up) + more_up) ^ more_up) | same | less_up | swapped;
    uint64_t more_left = less_up | ~(diagonal | more_up);
    uint64_t less_left = diagonal & more_up;
    if ((more_left & last_row) != 0) ++distance;
    if ((less_left & last_row) != 0) --distance;
    more_left = (more_left << 1) | 1;
    less_left <<= 1;
    more_up = less_left | ~(diagonal | more_left);
    less_up = diagonal & more_left;
    previous = same;
  }
  return std::min(distance, limit);
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.empty() || word.size() > EditDistance::kWordBytesMax) return {};
  const EditDistance distance_from_word(word);
  const size_t distance_max = std::max<size_t>(2, word.size() / 3);
  std::string_view best;
  size_t best_distance = std::min(distance_max, word.size() - 1) + 1;
  for (std::string_view candidate : known) {
    // The distance of two words is at least the difference of their lengths.
    const auto [shorter, longer] = std::minmax({word.size(), candidate.size()});
    if (longer - shorter >= best_distance || candidate.empty()) continue;
    const size_t distance = distance_from_word.to(candidate, best_distance);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  if (!best.empty() || word.size() < kPrefixLengthMin) return best;
  const auto continued = std::find_if(known.begin(), known.end(), [&](std::string_view candidate) {
    return candidate.starts_with(word);
  });
  return continued == known.end() ? std::string_view() : *continued;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view meant = nearest(word, known);
  return meant.empty() ? "" : "; did you mean " + std::string(meant) + "?";
}

std::string did_you_mean_or_known(std::string_view word, std::span<const std::string_view> known) {
  if (known.empty()) return "; known: none";
  std::string hint = did_you_mean(word, known);
  return hint.empty() ? fmt::format("; known: {}", fmt::join(known, ", ")) : hint;
}

}  // namespace ringmaster
