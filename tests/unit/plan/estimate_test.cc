// The estimates of the formula, and of the simulation beside it.
#include "plan/estimate.h"

#include <cmath>
#include <doctest/doctest.h>

#include "plan/formula.h"
#include "plan/simulate.h"
#include "plan/sizing.h"
#include "support.h"

namespace ringmaster::plan {
namespace {

constexpr uint64_t kSeed = 1;

// Each request fetches for 70 ms, and runs for 30.
Load load_of(double rate, double cv = 0) {
  return {{{"request", rate, gamma_times(0.03, cv), gamma_times(0.07, 0)}}};
}

Estimate by_formula(const Load& load, const Fleet& fleet) {
  return Formula(load, kSeed).estimate(fleet);
}

}  // namespace

TEST_CASE("formula: without a wait a request takes its fetch and its run") {
  const Estimate found = by_formula(load_of(1), {1, 8});
  REQUIRE(found.latency);
  CHECK(found.utilisation == doctest::Approx(0.03 / 8));
  CHECK(found.latency->p50_s == doctest::Approx(0.1));
  CHECK(found.latency->p99_s == doctest::Approx(0.1));
  CHECK(found.refused < 1e-6);
}

TEST_CASE("formula: for constant times the whole time is their sum and the wait") {
  const Estimate found = by_formula(load_of(50), {1, 2});
  REQUIRE(found.latency);
  CHECK(found.latency->p50_s == doctest::Approx(0.1 + found.latency->wait_p50_s));
  CHECK(found.latency->p99_s == doctest::Approx(0.1 + found.latency->wait_p99_s));
}

// M/M/1: the whole time is exponential, too, with a mean of 1 / (1/0.03 - 20) s.
TEST_CASE("formula: for exponential times the whole time is that of M/M/1") {
  const Load load{{{"request", 20, gamma_times(0.03, 1), {}}}, 1, 1e6};
  const Estimate found = by_formula(load, {1, 1});
  REQUIRE(found.latency);
  CHECK(std::abs(found.latency->p50_s / (std::log(2) * 0.075) - 1) <= 0.03);
  CHECK(std::abs(found.latency->p99_s / (std::log(100) * 0.075) - 1) <= 0.03);
}

TEST_CASE("formula: equal nodes are queues of their own") {
  const Estimate one = by_formula(load_of(200), {1, 8});
  const Estimate five = by_formula(load_of(1000), {5, 8});
  REQUIRE((one.latency && five.latency));
  CHECK(five.utilisation == doctest::Approx(one.utilisation));
  CHECK(five.latency->p99_s == doctest::Approx(one.latency->p99_s));
  CHECK(by_formula(load_of(1000), {1, 40}).latency->wait_p99_s < five.latency->wait_p99_s);
}

TEST_CASE("formula: for more than the workers can do, only the refusals are known") {
  const Estimate found = by_formula(load_of(100), {1, 2});
  CHECK_FALSE(found.latency);
  CHECK(found.utilisation == 1);
  CHECK(found.refused == doctest::Approx(1.0 / 3));
}

TEST_CASE("simulation: it agrees with the formula where the formula is right" *
          doctest::skip(test::kIsSanitized)) {
  for (const double utilisation : {0.5, 0.8, 0.9}) {
    for (const double cv : {0.0, 1.0}) {
      const Fleet fleet{1, 8};
      const Load load = load_of(utilisation * 8 / 0.03, cv);
      const Estimate formula = by_formula(load, fleet);
      const Estimate found = simulate(load, fleet, kSeed, 200'000);
      REQUIRE((formula.latency && found.latency));
      CAPTURE(utilisation);
      CAPTURE(cv);
      MESSAGE(utilisation, ", cv ", cv, ": mean wait ", found.latency->wait_mean_s * 1e3,
              " ms, formula ", formula.latency->wait_mean_s * 1e3, "; p99 ",
              found.latency->p99_s * 1e3, ", formula ", formula.latency->p99_s * 1e3);
      CHECK(std::abs(found.utilisation / utilisation - 1) <= 0.02);
      CHECK(std::abs(found.latency->p50_s / formula.latency->p50_s - 1) <= 0.1);
      CHECK(std::abs(found.latency->p99_s / formula.latency->p99_s - 1) <= 0.1);
    }
  }
}

TEST_CASE("simulation: in overload as much is served as the workers can do") {
  const Estimate found = simulate(load_of(100), {1, 2}, kSeed, 60'000);
  REQUIRE(found.latency);
  CHECK(found.utilisation >= 0.98);
  CHECK(std::abs(found.refused / (1.0 / 3) - 1) <= 0.05);
  CHECK(found.latency->p99_s < 1);
}

TEST_CASE("simulation: requests that come at once wait for each other") {
  Load load = load_of(40);
  const Estimate apart = simulate(load, {1, 2}, kSeed, 20'000);
  load.at_once = 10;
  const Estimate together = simulate(load, {1, 2}, kSeed, 20'000);
  REQUIRE((apart.latency && together.latency));
  CHECK(std::abs(together.utilisation / apart.utilisation - 1) <= 0.05);
  // Of ten requests on two workers, half begin at least two runs after the first.
  CHECK(together.latency->wait_p50_s >= 0.06);
  CHECK(apart.latency->wait_p50_s < 0.03);
}

TEST_CASE("simulation: the seed decides everything") {
  const auto p99 = [](uint64_t seed) {
    return simulate(load_of(200, 0.5), {1, 8}, seed, 5'000).latency->p99_s;
  };
  CHECK(p99(1) == p99(1));
  CHECK(p99(1) != p99(2));
}

TEST_CASE("sizing: 1000 requests a second of 30 ms need 34 workers, or five nodes of eight") {
  const Formula formula(load_of(1000), kSeed);
  const Promise promise{0.2};
  CHECK(workers_needed(formula, promise) == 34);
  CHECK(nodes_needed(formula, promise, 8) == 5);
  CHECK(promise.is_kept(formula.estimate({5, 8})));
  CHECK_FALSE(promise.is_kept(formula.estimate({4, 8})));
}

TEST_CASE("sizing: a p99 near the shortest time of a request needs more workers") {
  const Formula formula(load_of(1000), kSeed);
  const size_t needed = workers_needed(formula, {0.101});
  CHECK(needed > 34);
  CHECK(formula.estimate({1, needed}).latency->p99_s <= 0.101);
  CHECK(formula.estimate({1, needed - 1}).latency->p99_s > 0.101);
}

TEST_CASE("sizing: fetches need connections by Little's law, and three deviations more") {
  const Load load = load_of(1000);
  const Fleet fleet{5, 8};
  const Estimate estimate = by_formula(load, fleet);
  const NodeNeeds needs = needs_of(load, fleet, estimate, 1024);
  CHECK(needs.upstream_connections == std::ceil(14 + 3 * std::sqrt(14)));
  const double in_flight = 200 * (0.1 + estimate.latency->wait_mean_s);
  CHECK(needs.in_flight == std::ceil(in_flight + 3 * std::sqrt(in_flight)));
  CHECK(needs.payload_bytes == needs.in_flight * 1024);
}

}  // namespace ringmaster::plan
