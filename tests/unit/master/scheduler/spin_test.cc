#include "master/scheduler/spin.h"

#include <doctest/doctest.h>

namespace ringmaster::master {
namespace {

constexpr uint64_t kShort = 3000;

// How many spins are skipped before the next one begins.
int pause_of(Spin& spin) {
  int times = 0;
  while (!spin.try_begin(kShort))
    ++times;
  return times;
}

}  // namespace

TEST_CASE("spin: a spin begins for short work only") {
  Spin spin;
  CHECK(spin.try_begin(1));
  CHECK(spin.try_begin(Spin::kWorkNsMax));
  CHECK(!spin.try_begin(Spin::kWorkNsMax + 1));
  CHECK(!spin.try_begin(0));
}

TEST_CASE("spin: while results come no spin is skipped") {
  Spin spin;
  for (int i = 0; i < 100; ++i) {
    spin.on_end(true);
    CHECK(pause_of(spin) == 0);
  }
}

TEST_CASE("spin: each spin in vain doubles the pause, up to a limit") {
  Spin spin;
  for (const int expected : {1, 3, 7, 15, 31, 63, 127, 127}) {
    spin.on_end(false);
    CHECK(pause_of(spin) == expected);
  }
}

TEST_CASE("spin: without short work, a call does not shorten a pause") {
  Spin spin;
  spin.on_end(false);
  CHECK(!spin.try_begin(0));
  CHECK(!spin.try_begin(Spin::kWorkNsMax + 1));
  CHECK(pause_of(spin) == 1);
}

TEST_CASE("spin: one success ends the pauses") {
  Spin spin;
  for (int i = 0; i < 5; ++i)
    spin.on_end(false);
  pause_of(spin);
  spin.on_end(true);
  CHECK(pause_of(spin) == 0);
  spin.on_end(false);
  CHECK(pause_of(spin) == 1);
}

}  // namespace ringmaster::master
