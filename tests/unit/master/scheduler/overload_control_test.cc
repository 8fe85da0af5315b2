#include "master/scheduler/overload_control.h"

#include <doctest/doctest.h>

#include "base/clock.h"

namespace ringmaster::master {
namespace {

constexpr double kLimit = 100 * kNsPerMs;
constexpr double kSpare = 480 * kNsPerMs;

// A request of 30 ms arrives at this queue, and is refused if the queue is longer than kSpare.
void arrive(OverloadControl& control, uint64_t& now_ns, double queue_ns) {
  now_ns += static_cast<uint64_t>(10 * kNsPerMs);
  control.on_arrival(now_ns, 1, queue_ns, 30 * kNsPerMs, kSpare);
  if (queue_ns > kSpare) control.on_refused(now_ns, 1, kLimit, 30 * kNsPerMs, kSpare);
}

// Enough work was refused to turn it on.
OverloadControl overloaded(uint64_t& now_ns) {
  OverloadControl control;
  for (int i = 0; i < 17; ++i)
    arrive(control, now_ns, 500 * kNsPerMs);
  return control;
}

}  // namespace

TEST_CASE(
    "overload control: half a second of refused work turns it on, if the queue never drains") {
  OverloadControl control;
  uint64_t now_ns = 0;
  for (int i = 0; i < 16; ++i)
    arrive(control, now_ns, 500 * kNsPerMs);
  CHECK(!control.is_on());
  arrive(control, now_ns, 500 * kNsPerMs);
  CHECK(control.is_on());
}

TEST_CASE("overload control: a burst that drains is forgotten") {
  OverloadControl control;
  uint64_t now_ns = 0;
  for (int burst = 0; burst < 5; ++burst) {
    for (int i = 0; i < 16; ++i)
      arrive(control, now_ns, 500 * kNsPerMs);
    arrive(control, now_ns, 50 * kNsPerMs);
  }
  CHECK(!control.is_on());
}

TEST_CASE("overload control: it stays on while the same load would keep the queue full") {
  uint64_t now_ns = 0;
  OverloadControl control = overloaded(now_ns);
  for (int i = 0; i < 1000; ++i)  // 30 ms of work each 10 ms, but a short queue
    arrive(control, now_ns, 90 * kNsPerMs);
  CHECK(control.is_on());
  now_ns += static_cast<uint64_t>(800 * kNsPerMs);
  arrive(control, now_ns, 0);
  CHECK(control.is_on());
  now_ns += static_cast<uint64_t>(120 * kNsPerMs);
  arrive(control, now_ns, 0);
  CHECK(!control.is_on());
}

TEST_CASE("overload control: without arrivals it is seen to be over, too") {
  uint64_t now_ns = 0;
  OverloadControl control = overloaded(now_ns);
  CHECK(control.is_on(now_ns));
  CHECK(control.is_on(now_ns + 370 * kNsPerMs));
  CHECK(!control.is_on(now_ns + 380 * kNsPerMs));
}

TEST_CASE("overload control: the end of a short overload is seen sooner than that of a long one") {
  uint64_t now_ns = 0;
  OverloadControl control = overloaded(now_ns);
  now_ns += static_cast<uint64_t>(400 * kNsPerMs);
  arrive(control, now_ns, 0);
  CHECK(!control.is_on());
}

}  // namespace ringmaster::master
