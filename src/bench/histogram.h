// Histogram: counts latencies in buckets whose width grows with the value, as HdrHistogram does:
// every value is known to better than 1 %, at any magnitude, in a fixed amount of memory.
//
// Source: http://hdrhistogram.org; Tene, "How NOT to Measure Latency" (2013).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ringmaster::bench {

class Histogram {
 public:
  void record(uint64_t ns);

  uint64_t count() const { return count_; }
  uint64_t max_ns() const { return max_ns_; }
  double mean_ns() const;
  // `percent` of all values are at most as long as the result: the upper end of a bucket, or the
  // maximum if that is smaller. 0: there are no values.
  uint64_t percentile_ns(double percent) const;

 private:
  // 128 buckets for each power of two: a bucket is at most 1/128 of its values wide.
  static constexpr uint32_t kBits = 7;
  static constexpr size_t kBuckets = size_t{64 - kBits + 1} << kBits;

  static size_t bucket_of(uint64_t ns);
  static uint64_t last_of(size_t bucket);

  std::array<uint64_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  uint64_t max_ns_ = 0;
  double sum_ns_ = 0;
};

}  // namespace ringmaster::bench
