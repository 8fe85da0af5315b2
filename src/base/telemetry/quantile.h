// quantile(): a quantile of a histogram's values, as Prometheus' histogram_quantile() computes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>

namespace ringmaster::telemetry {

// `share` (0 to 1) of all values are at most the result. `bounds` are the upper ends of all buckets
// but the last, in the unit of the result. The values of a bucket are taken to be spread evenly. A
// quantile in the last bucket, which has no end, is the last bound. Empty: there are no values.
template <class Counts, class Bounds>
std::optional<double> quantile(const Counts& counts, const Bounds& bounds, double share) {
  const uint64_t all = std::accumulate(counts.begin(), counts.end(), uint64_t{0});
  if (all == 0 || counts.size() != bounds.size() + 1) return std::nullopt;
  const double rank = share * static_cast<double>(all);
  double below = 0;
  for (size_t i = 0; i < bounds.size(); ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (here > 0 && below + here >= rank) {
      const auto from = i == 0 ? 0 : static_cast<double>(bounds[i - 1]);
      return from + (static_cast<double>(bounds[i]) - from) * (rank - below) / here;
    }
    below += here;
  }
  return static_cast<double>(bounds.back());
}

}  // namespace ringmaster::telemetry
