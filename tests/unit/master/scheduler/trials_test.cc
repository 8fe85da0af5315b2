#include "master/scheduler/trials.h"

#include <doctest/doctest.h>

#include "base/clock.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kNow = 1'000'000 * kNsPerMs;

}  // namespace

TEST_CASE("trials: a request that takes no longer than its client allows is admitted") {
  Trials trials;
  trials.add_method();
  CHECK(!trials.retry_after_ns(0, 30 * kNsPerMs, kNow, kNow + 30 * kNsPerMs));
}

TEST_CASE("trials: the next trial does not begin before the deadline of the last trial") {
  Trials trials;
  trials.add_method();
  CHECK(!trials.retry_after_ns(0, 300 * kNsPerMs, kNow, kNow + 200 * kNsPerMs));
  CHECK(trials.retry_after_ns(0, 300 * kNsPerMs, kNow + kNsPerMs, kNow + 200 * kNsPerMs) ==
        199 * kNsPerMs);
  CHECK(!trials.retry_after_ns(0, 300 * kNsPerMs, kNow + 200 * kNsPerMs, kNow + 300 * kNsPerMs));
}

TEST_CASE("trials: none while an abandoned job has a worker, or for 2 s after its deadline") {
  Trials trials;
  trials.add_method();
  trials.on_abandoned(0, 30 * kNsPerMs, kNow);
  CHECK(trials.retry_after_ns(0, 30 * kNsPerMs, kNow + 3000 * kNsPerMs, kNow + 3010 * kNsPerMs) ==
        Trials::kAbandonedNs);
  trials.on_released();
  CHECK(trials.retry_after_ns(0, 30 * kNsPerMs, kNow + 1000 * kNsPerMs, kNow + 1010 * kNsPerMs) ==
        1000 * kNsPerMs);
  CHECK(!trials.retry_after_ns(0, 30 * kNsPerMs, kNow + 2000 * kNsPerMs, kNow + 2010 * kNsPerMs));
}

TEST_CASE("trials: the longer a method's jobs take, the rarer are its trials") {
  Trials trials;
  trials.add_method();
  trials.on_abandoned(0, 1000 * kNsPerMs, kNow);
  trials.on_released();
  CHECK(trials.retry_after_ns(0, 1000 * kNsPerMs, kNow + 9000 * kNsPerMs, kNow + 9100 * kNsPerMs) ==
        1000 * kNsPerMs);
  CHECK(!trials.retry_after_ns(0, 1000 * kNsPerMs, kNow + 10'000 * kNsPerMs,
                               kNow + 10'100 * kNsPerMs));
}

}  // namespace ringmaster::master
