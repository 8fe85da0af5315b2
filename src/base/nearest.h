// nearest(): which word was meant? For "did you mean timeout_ms?".
//
// Distance: Damerau-Levenshtein (optimal string alignment): one insertion, deletion, replacement or
//           swap of two neighbours costs 1.
// Near:     at most max(2, length/3) of the word's length, and less than the whole word. Where no
//           word is that near, one that continues it ("timeout", "timeout_ms") is.
// Limits:   meant for lists of tens of words; quadratic in the length of those that are not much
//           shorter or longer than the word, however long that is.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace ringmaster {

size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known`, the first of equals; empty when none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

// "; did you mean timeout_ms?", or nothing: to be appended to a message.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace ringmaster
