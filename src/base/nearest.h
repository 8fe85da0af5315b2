// nearest(): the known word that was probably meant, for "did you mean timeout_ms?".
//
// Distance: Damerau-Levenshtein (optimal string alignment): one insertion, deletion, replacement or
//           swap of two neighbours costs 1.
// Near:     a distance of at most max(2, length/3), and less than the word's length. If no word is
//           that near: a word that begins with the given one ("timeout", "timeout_ms").
// Limits:   a word longer than EditDistance::kWordBytesMax has no nearest one.
// Cost:     some 60 ns for each known word, and no allocation: clients may choose the word.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ringmaster {

// Computes the distances from one word to others.
class EditDistance {
 public:
  static constexpr size_t kWordBytesMax = 64;

  // REQUIRES: word.size() <= kWordBytesMax.
  explicit EditDistance(std::string_view word);
  // The distance to `other`, at most `limit`.
  size_t to(std::string_view other, size_t limit) const;

 private:
  const size_t size_;
  std::array<uint64_t, 256> places_{};  // for each character: one bit for each place in the word
};

// The nearest of `known`; of equally near words, the first. Empty when none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

// "; did you mean timeout_ms?", or nothing: to be appended to a message.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

// The same, but if no word is near: "; known: timeout_ms, attempts", or "; known: none".
std::string did_you_mean_or_known(std::string_view word, std::span<const std::string_view> known);

}  // namespace ringmaster
