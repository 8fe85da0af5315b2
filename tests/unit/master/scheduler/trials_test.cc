#include "master/scheduler/trials.h"

#include <doctest/doctest.h>

namespace ringmaster::master {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kNow = 1'000'000 * kMs;

}  // namespace

TEST_CASE("trials: what takes no longer than its client allows is none") {
  Trials trials;
  trials.add_method();
  CHECK(!trials.retry_after_ns(0, 30 * kMs, kNow, kNow + 30 * kMs));
}

TEST_CASE("trials: one at a time, and then not before its deadline") {
  Trials trials;
  trials.add_method();
  CHECK(!trials.retry_after_ns(0, 300 * kMs, kNow, kNow + 200 * kMs));
  CHECK(trials.retry_after_ns(0, 300 * kMs, kNow + kMs, kNow + 200 * kMs) == 199 * kMs);
  CHECK(!trials.retry_after_ns(0, 300 * kMs, kNow + 200 * kMs, kNow + 300 * kMs));
}

TEST_CASE("trials: none while an abandoned job has a worker, nor for two seconds") {
  Trials trials;
  trials.add_method();
  trials.on_abandoned(0, 30 * kMs, kNow);
  CHECK(trials.retry_after_ns(0, 30 * kMs, kNow + 3000 * kMs, kNow + 3010 * kMs) ==
        Trials::kAbandonedNs);
  trials.on_released();
  CHECK(trials.retry_after_ns(0, 30 * kMs, kNow + 1000 * kMs, kNow + 1010 * kMs) == 1000 * kMs);
  CHECK(!trials.retry_after_ns(0, 30 * kMs, kNow + 2000 * kMs, kNow + 2010 * kMs));
}

TEST_CASE("trials: the longer such jobs take, the rarer is a trial") {
  Trials trials;
  trials.add_method();
  trials.on_abandoned(0, 1000 * kMs, kNow);
  trials.on_released();
  CHECK(trials.retry_after_ns(0, 1000 * kMs, kNow + 9000 * kMs, kNow + 9100 * kMs) == 1000 * kMs);
  CHECK(!trials.retry_after_ns(0, 1000 * kMs, kNow + 10'000 * kMs, kNow + 10'100 * kMs));
}

}  // namespace ringmaster::master
