#include "upstream/retry_budget.h"

#include <doctest/doctest.h>
#include <random>

namespace ringmaster::upstream {

TEST_CASE("retry budget: three retries at first, then one for five fetches") {
  RetryBudget budget;
  for (int i = 0; i < 3; ++i) {
    CHECK(budget.try_begin(1));
    budget.on_end();
  }
  CHECK(!budget.try_begin(1));
  for (int i = 0; i < 5; ++i)
    budget.on_fetch();
  CHECK(budget.try_begin(1));
  budget.on_end();
  CHECK(!budget.try_begin(1));
}

TEST_CASE(
    "retry budget: at most three retries are under way, or a fifth of the fetches in "
    "flight") {
  RetryBudget few, many;
  for (int i = 0; i < 100; ++i) {
    few.on_fetch();
    many.on_fetch();
  }
  int under_way = 0;
  while (few.try_begin(10))
    ++under_way;
  CHECK(under_way == 3);
  for (under_way = 0; many.try_begin(40);)
    ++under_way;
  CHECK(under_way == 8);
  few.on_end();
  CHECK(few.try_begin(10));
}

TEST_CASE("retry budget: in any order, retries are at most a fifth of the fetches, plus three") {
  std::minstd_rand random(3);
  RetryBudget budget;
  uint64_t fetches = 0, retries = 0, under_way = 0;
  for (int i = 0; i < 100'000; ++i) {
    const size_t in_flight = random() % 200;
    switch (random() % 4) {
      case 0:
        budget.on_fetch();
        ++fetches;
        break;
      case 1:
        if (under_way > 0) {
          budget.on_end();
          --under_way;
        }
        break;
      default:
        if (budget.try_begin(in_flight)) {
          ++retries;
          ++under_way;
          REQUIRE(under_way <= std::max<size_t>(3, in_flight / 5));
        }
    }
    REQUIRE(static_cast<double>(retries) <= 3 + 0.2 * static_cast<double>(fetches) + 0.001);
  }
  CHECK(retries > fetches / 6);
}

}  // namespace ringmaster::upstream
