#include "plan/arrivals.h"

#include <doctest/doctest.h>

#include "plan/scheduler_simulation.h"

namespace ringmaster::plan {
namespace {

// Groups of `size` requests at random, 100 requests a second from second 5 to `to_s`.
std::vector<double> grouped(size_t size, double to_s) {
  Random random(1);
  std::vector<double> arrivals;
  for (double at = 5; at < to_s; at += exponential(random, static_cast<double>(size) / 100))
    arrivals.insert(arrivals.end(), size, at);
  return arrivals;
}

}  // namespace

TEST_CASE("arrivals: the size of groups is found, and single requests are no groups") {
  CHECK(arrivals_at_once(grouped(1, 25), 5, 25) == 1);
  CHECK(arrivals_at_once(grouped(4, 205), 5, 205) == 4);
  const size_t found = arrivals_at_once(grouped(32, 205), 5, 205);
  CAPTURE(found);
  CHECK(found >= 28);
  CHECK(found <= 36);
}

TEST_CASE("arrivals: regular requests, and too few, count as single ones") {
  std::vector<double> regular;
  for (int i = 0; i < 1000; ++i)
    regular.push_back(i);
  CHECK(arrivals_at_once(regular, 0, 1000) == 1);
  CHECK(arrivals_at_once(std::vector<double>(199, 1.5), 1, 2) == 1);
  CHECK(arrivals_at_once(std::vector<double>(200, 1.5), 1, 2) > 100);
  CHECK(arrivals_at_once(std::vector<double>(200, 1.5), 1, 1) == 1);
  CHECK(arrivals_at_once({}, 0, 1) == 1);
}

}  // namespace ringmaster::plan
