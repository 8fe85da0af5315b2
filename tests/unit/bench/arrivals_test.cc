#include "bench/arrivals.h"

#include <cmath>
#include <doctest/doctest.h>
#include <vector>

namespace ringmaster::bench {
namespace {

std::vector<uint64_t> first(Arrivals arrivals, size_t count) {
  std::vector<uint64_t> times;
  while (times.size() < count)
    times.push_back(arrivals.next_ns());
  return times;
}

}  // namespace

TEST_CASE("arrivals: constant ones are evenly spaced") {
  const auto times = first({Arrivals::Kind::kConstant, 1000, 1}, 3);
  CHECK(times == std::vector<uint64_t>{1'000'000, 2'000'000, 3'000'000});
}

TEST_CASE("arrivals: the same seed gives the same times, another seed others") {
  const auto times = first({Arrivals::Kind::kPoisson, 1000, 7}, 100);
  CHECK(times == first({Arrivals::Kind::kPoisson, 1000, 7}, 100));
  CHECK(times != first({Arrivals::Kind::kPoisson, 1000, 8}, 100));
}

TEST_CASE("arrivals: poisson ones have the mean and the spread of an exponential distribution") {
  constexpr size_t kCount = 100'000;
  const auto times = first({Arrivals::Kind::kPoisson, 1000, 1}, kCount);
  double squares = 0;
  uint64_t before = 0;
  for (const uint64_t time : times) {
    const double gap_ms = static_cast<double>(time - before) / 1e6;
    squares += (gap_ms - 1) * (gap_ms - 1);
    before = time;
  }
  CHECK(static_cast<double>(before) / 1e6 / kCount == doctest::Approx(1).epsilon(0.02));
  CHECK(std::sqrt(squares / kCount) == doctest::Approx(1).epsilon(0.02));
}

}  // namespace ringmaster::bench
