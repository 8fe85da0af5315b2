#include "base/nearest.h"

#include <algorithm>
#include <vector>

namespace ringmaster {
namespace {

constexpr size_t kPrefixLengthMin = 3;

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table are enough: a swap looks back two.
  std::vector<size_t> before(b.size() + 1), previous(b.size() + 1), current(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    current[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, previous);
    std::swap(previous, current);
    current[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, replaced});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) current[j] = std::min(current[j], before[j - 2] + 1);
    }
  }
  return current[b.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  const size_t distance_max = std::max<size_t>(2, word.size() / 3);
  std::string_view best;
  size_t best_distance = std::min(distance_max, word.size() - (word.empty() ? 0 : 1)) + 1;
  for (std::string_view candidate : known) {
    // Two words are at least as far apart as their lengths. Whoever asks for a method of a million
    // letters must not have each of them compared.
    const auto [shorter, longer] = std::minmax({word.size(), candidate.size()});
    if (longer - shorter >= best_distance || candidate.empty()) continue;
    const size_t distance = edit_distance(word, candidate);
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

}  // namespace ringmaster
