#include "bench/histogram.h"

#include <doctest/doctest.h>
#include <limits>

namespace ringmaster::bench {

TEST_CASE("histogram: an empty one has zeros only") {
  const Histogram empty;
  CHECK(empty.count() == 0);
  CHECK(empty.percentile_ns(99) == 0);
  CHECK(empty.mean_ns() == 0);
}

TEST_CASE("histogram: small values are exact") {
  Histogram histogram;
  for (uint64_t ns = 1; ns <= 100; ++ns)
    histogram.record(ns);
  CHECK(histogram.percentile_ns(50) == 50);
  CHECK(histogram.percentile_ns(99) == 99);
  CHECK(histogram.percentile_ns(100) == 100);
  CHECK(histogram.mean_ns() == 50.5);
}

TEST_CASE("histogram: every value is known to better than one percent, and never too low") {
  for (uint64_t ns = 1; ns < std::numeric_limits<uint64_t>::max() / 3; ns = ns * 3 / 2 + 1) {
    CAPTURE(ns);
    Histogram histogram;
    histogram.record(ns);
    histogram.record(std::numeric_limits<uint64_t>::max());
    const uint64_t found = histogram.percentile_ns(50);
    CHECK(found >= ns);
    CHECK(found - ns <= ns / 100);
  }
}

TEST_CASE("histogram: no percentile is above the maximum") {
  Histogram histogram;
  histogram.record(1'000'001);
  CHECK(histogram.percentile_ns(50) == 1'000'001);
  CHECK(histogram.max_ns() == 1'000'001);
}

}  // namespace ringmaster::bench
