#include "plan/times.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <boost/random/gamma_distribution.hpp>

namespace ringmaster::plan {
namespace {

struct Bucket {
  double up_to;  // of all counts, the part in this bucket and those before it
  double from_s;
  double width_s;
};

// The bounds of bucket `i`; the last one has no upper bound: twice its lower one is taken.
std::pair<double, double> edges(const std::vector<double>& bounds, size_t i) {
  const double low = i == 0 ? 0 : bounds[i - 1];
  return {low, i < bounds.size() ? bounds[i] : 2 * low};
}

double spread(const std::vector<uint64_t>& counts, size_t i) {
  const uint64_t before = i > 0 ? counts[i - 1] : 0;
  const uint64_t after = i + 1 < counts.size() ? counts[i + 1] : 0;
  return std::min(1.0,
                  static_cast<double>(std::max(before, after)) / static_cast<double>(counts[i]));
}

}  // namespace

Times gamma_times(double mean_s, double cv) {
  if (cv < 1e-6) return {mean_s, 0, fixed(mean_s)};  // the square of cv may be 0
  // Boost's distribution, because the numbers of std::gamma_distribution depend on the library.
  const auto draw = [gamma = boost::random::gamma_distribution<double>(
                         1 / (cv * cv), mean_s * cv * cv)](Random& random) mutable {
    return gamma(random);
  };
  return {mean_s, cv, draw};
}

Times histogram_times(const std::vector<double>& bounds, const std::vector<uint64_t>& counts,
                      double mean_s) {
  double all = 0;
  for (const uint64_t count : counts)
    all += static_cast<double>(count);
  std::vector<Bucket> buckets;
  double counted = 0;
  double sum = 0;
  double squares = 0;
  for (size_t i = 0; i < std::min(counts.size(), bounds.size() + 1); ++i) {
    if (counts[i] == 0) continue;
    const auto [low, high] = edges(bounds, i);
    const double width = (high - low) * spread(counts, i);
    const double middle = (low + high) / 2;
    const double count = static_cast<double>(counts[i]);
    counted += count;
    buckets.push_back({counted / all, middle - width / 2, width});
    sum += count * middle;
    squares += count * (middle * middle + width * width / 12);
  }
  if (sum == 0) return gamma_times(mean_s, 0);
  const double middle = sum / all;
  const double scale = mean_s / middle;
  const double variance = std::max(0.0, squares / all - middle * middle);
  const auto draw = [buckets = std::move(buckets), scale](Random& random) {
    const double at = uniform(random);
    const auto bucket = std::find_if(buckets.begin(), buckets.end() - 1,
                                     [at](const Bucket& each) { return at < each.up_to; });
    return scale * (bucket->from_s + bucket->width_s * uniform(random));
  };
  return {mean_s, std::sqrt(variance) / middle, draw};
}

Times longer(const Times& times, double more_s) {
  const double mean_s = times.mean_s + more_s;
  const auto draw = [before = times.draw, more_s](Random& random) {
    return before(random) + more_s;
  };
  return {mean_s, mean_s > 0 ? times.cv * times.mean_s / mean_s : 0, draw};
}

}  // namespace ringmaster::plan
