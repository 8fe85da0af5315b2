#include "plan/times.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <vector>

namespace ringmaster::plan {
namespace {

struct Drawn {
  double mean = 0;
  double cv = 0;
  double least = 1e9;
  double most = 0;
};

Drawn draw_many(const Times& times) {
  constexpr int kDraws = 50'000;
  Random random(1);
  Drawn found;
  double squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double drawn = times.draw(random);
    found.mean += drawn / kDraws;
    squares += drawn * drawn / kDraws;
    found.least = std::min(found.least, drawn);
    found.most = std::max(found.most, drawn);
  }
  found.cv = std::sqrt(std::max(0.0, squares - found.mean * found.mean)) / found.mean;
  return found;
}

const std::vector<double> kBounds = {0.016, 0.032, 0.064};

}  // namespace

TEST_CASE("times: draws have the mean and the variation that are asked for") {
  for (const double cv : {0.0, 0.3, 1.0, 2.0}) {
    const Times times = gamma_times(0.03, cv);
    const Drawn found = draw_many(times);
    CAPTURE(cv);
    CHECK(times.cv == cv);
    CHECK(std::abs(found.mean / 0.03 - 1) <= 0.02);
    CHECK(std::abs(found.cv - cv) <= 0.03 * (1 + cv));
  }
}

TEST_CASE("times: all times of a bucket without neighbours are the histogram's mean") {
  const Times times = histogram_times(kBounds, {0, 100, 0, 0}, 0.03);
  const Drawn found = draw_many(times);
  CHECK(times.cv == 0);
  CHECK(found.least == doctest::Approx(0.03));
  CHECK(found.most == doctest::Approx(0.03));
}

TEST_CASE("times: neighbouring buckets are spread over their width") {
  const Times times = histogram_times(kBounds, {100, 100, 0, 0}, 0.016);
  const Drawn found = draw_many(times);
  CHECK(std::abs(found.mean / 0.016 - 1) <= 0.02);
  CHECK(found.least < 0.001);
  CHECK(found.most > 0.031);
  CHECK(std::abs(found.cv / times.cv - 1) <= 0.02);
}

TEST_CASE("times: the last bucket has no end, and without counts all times are equal") {
  CHECK(draw_many(histogram_times(kBounds, {0, 0, 0, 5}, 0.1)).most == doctest::Approx(0.1));
  CHECK(draw_many(histogram_times(kBounds, {0, 0, 0, 0}, 0.1)).most == doctest::Approx(0.1));
  CHECK(draw_many(histogram_times({}, {}, 0.1)).least == doctest::Approx(0.1));
}

TEST_CASE("times: longer times have the same standard deviation") {
  const Times times = longer(gamma_times(0.03, 1), 0.03);
  const Drawn found = draw_many(times);
  CHECK(times.mean_s == doctest::Approx(0.06));
  CHECK(std::abs(found.cv / 0.5 - 1) <= 0.03);
  CHECK(found.least >= 0.03);
}

}  // namespace ringmaster::plan
