#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ringmaster::bench {

// Values below 2^kBits have a bucket each; a larger one is cut to its kBits + 1 leading bits.
size_t Histogram::bucket_of(uint64_t ns) {
  const auto width = static_cast<uint32_t>(std::bit_width(ns));
  if (width <= kBits) return ns;
  const uint32_t shift = width - kBits - 1;
  return (size_t{shift} << kBits) + (ns >> shift);
}

uint64_t Histogram::last_of(size_t bucket) {
  if (bucket < size_t{1} << kBits) return bucket;
  const uint64_t shift = (bucket >> kBits) - 1;
  const uint64_t leading = bucket - (shift << kBits);
  return ((leading + 1) << shift) - 1;
}

void Histogram::record(uint64_t ns) {
  ++counts_[bucket_of(ns)];
  ++count_;
  max_ns_ = std::max(max_ns_, ns);
  sum_ns_ += static_cast<double>(ns);
}

double Histogram::mean_ns() const {
  return count_ == 0 ? 0 : sum_ns_ / static_cast<double>(count_);
}

uint64_t Histogram::percentile_ns(double percent) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen >= std::max<uint64_t>(wanted, 1)) return std::min(last_of(bucket), max_ns_);
  }
  return max_ns_;
}

}  // namespace ringmaster::bench
