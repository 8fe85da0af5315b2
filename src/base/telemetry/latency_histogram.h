// LatencyHistogram: counts times in the buckets that /metrics shows.
//
// The bounds are powers of two from 0.25 ms to 16 s, with one more bound between each two from 16
// to 512 ms, where deadlines of services mostly lie. The true quantile lies in the same bucket as
// the estimate that Prometheus computes. So the estimate is wrong by a factor of at most 2, or of
// at most 1.41 from 16 to 512 ms.
// Source: the bounds of Prometheus' native histograms, schemas 0 and 1.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace ringmaster::telemetry {

class LatencyHistogram {
 public:
  static constexpr std::array<uint64_t, 22> kBoundsNs = {
      250'000,       500'000,       1'000'000,     2'000'000,     4'000'000,   8'000'000,
      16'000'000,    22'627'417,    32'000'000,    45'254'834,    64'000'000,  90'509'668,
      128'000'000,   181'019'336,   256'000'000,   362'038'672,   512'000'000, 1'024'000'000,
      2'048'000'000, 4'096'000'000, 8'192'000'000, 16'384'000'000};

  void record(uint64_t ns) {
    sum_ns_ += ns;
    if (ns <= kBoundsNs.front()) {  // most times of cheap requests: no search
      ++counts_.front();
      return;
    }
    const auto bound = std::lower_bound(kBoundsNs.begin(), kBoundsNs.end(), ns);
    ++counts_[static_cast<size_t>(bound - kBoundsNs.begin())];
  }
  // By bucket; the last one has no upper bound.
  const std::array<uint64_t, kBoundsNs.size() + 1>& counts() const { return counts_; }
  uint64_t sum_ns() const { return sum_ns_; }
  uint64_t count() const {
    uint64_t sum = 0;
    for (const uint64_t count : counts_)
      sum += count;
    return sum;
  }

 private:
  std::array<uint64_t, kBoundsNs.size() + 1> counts_{};
  uint64_t sum_ns_ = 0;
};

}  // namespace ringmaster::telemetry
