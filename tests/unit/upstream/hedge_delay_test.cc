#include "upstream/hedge_delay.h"

#include <cmath>
#include <doctest/doctest.h>
#include <random>

namespace ringmaster::upstream {
namespace {

Hedge percentile(uint64_t percent) {
  Hedge hedge;
  hedge.after_percentile = percent;
  return hedge;
}

// The part of so many answers that took longer than the delay that was known before them.
template <class Took>
double part_beyond(HedgeDelay& delay, int answers, Took took) {
  int beyond = 0;
  for (int i = 0; i < answers; ++i) {
    const uint64_t took_ns = took();
    beyond += took_ns > delay.ns().value();
    delay.on_answer(took_ns);
  }
  return static_cast<double>(beyond) / answers;
}

}  // namespace

TEST_CASE("hedge delay: a fixed time, none, or a percentile that is known after twenty answers") {
  Hedge fixed;
  fixed.after_ms = 7;
  CHECK(HedgeDelay(fixed).ns() == 7 * kNsPerMs);
  CHECK(!HedgeDelay(Hedge{}).ns());
  HedgeDelay delay(percentile(95));
  for (int i = 1; i <= 20; ++i) {
    CHECK(!delay.ns());
    delay.on_answer(static_cast<uint64_t>(i) * kNsPerMs);
  }
  CHECK(delay.ns() == kNsPerMs);
}

TEST_CASE("hedge delay: a slow one among the first answers does not hold it up") {
  HedgeDelay delay(percentile(95));
  for (int i = 0; i < 120; ++i)
    delay.on_answer(i == 5 ? kNsPerS : (10 + static_cast<uint64_t>(i) % 10) * kNsPerMs);
  CHECK(delay.ns().value() > 15 * kNsPerMs);
  CHECK(delay.ns().value() < 30 * kNsPerMs);
}

TEST_CASE(
    "hedge delay: in any distribution, the wanted part of the answers "
    "takes longer than the delay") {
  std::mt19937 random(1);
  std::lognormal_distribution<double> skewed(0, 1);
  std::uniform_real_distribution<double> even(5, 15);
  for (const uint64_t percent : {50, 90, 95, 99}) {
    CAPTURE(percent);
    const double wanted = 1 - static_cast<double>(percent) / 100;
    HedgeDelay of_skewed(percentile(percent)), of_even(percentile(percent));
    const auto skewed_ns = [&] { return static_cast<uint64_t>(skewed(random) * 20 * kNsPerMs); };
    const auto even_ns = [&] { return static_cast<uint64_t>(even(random) * kNsPerMs); };
    for (int i = 0; i < 2000; ++i) {
      of_skewed.on_answer(skewed_ns());
      of_even.on_answer(even_ns());
    }
    CHECK(part_beyond(of_skewed, 50'000, skewed_ns) == doctest::Approx(wanted).epsilon(0.1));
    CHECK(part_beyond(of_even, 50'000, even_ns) == doctest::Approx(wanted).epsilon(0.1));
  }
}

TEST_CASE(
    "hedge delay: it follows an upstream that becomes ten times slower, "
    "or quicker") {
  HedgeDelay delay(percentile(95));
  const auto takes = [&](uint64_t ms) { return [ms] { return ms * kNsPerMs; }; };
  for (int i = 0; i < 20; ++i)
    delay.on_answer(10 * kNsPerMs);
  part_beyond(delay, 100, takes(100));
  CHECK(delay.ns().value() > 90 * kNsPerMs);
  part_beyond(delay, 2000, takes(10));
  CHECK(delay.ns().value() < 15 * kNsPerMs);
}

TEST_CASE(
    "hedge delay: an attempt that was ended counts only if it had taken "
    "longer than the delay") {
  HedgeDelay delay(percentile(95));
  for (int i = 0; i < 20; ++i)
    delay.on_answer(10 * kNsPerMs);
  delay.on_cut_off(1 * kNsPerMs);
  CHECK(delay.ns() == 10 * kNsPerMs);
  delay.on_cut_off(11 * kNsPerMs);
  CHECK(delay.ns().value() > 10 * kNsPerMs);
}

}  // namespace ringmaster::upstream
