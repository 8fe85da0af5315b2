#include "master/supervisor/frozen_watch.h"

#include <csignal>
#include <doctest/doctest.h>
#include <sys/wait.h>

#include "master/supervisor/stall_watch.h"
#include "support.h"

namespace ringmaster::master {
namespace {

constexpr uint32_t kTicks = 3;

// A simulated process under a watch.
struct Watched {
  FrozenWatch watch;
  std::optional<ProcessLook> process = ProcessLook{'S', 7};
  int looks = 0;

  // Runs `ticks` ticks. Returns the process's state if the watch has found it frozen, else 0.
  char found_in(uint32_t ticks, bool is_expected = true) {
    char found = 0;
    for (uint32_t i = 0; i < ticks; ++i) {
      const auto look = watch.on_tick(is_expected ? kTicks : 0, [this] {
        ++looks;
        return process;
      });
      if (look) found = look->state;
    }
    return found;
  }
};

}  // namespace

TEST_CASE("frozen watch: a process that is stopped or blocked for long is found, and not before") {
  for (const char state : {'T', 't', 'S', 'D'}) {
    Watched watched;
    watched.process->state = state;
    CHECK(watched.found_in(kTicks) == 0);
    CHECK(watched.found_in(1) == state);
  }
}

TEST_CASE("frozen watch: a process of which nothing is expected is not even looked at") {
  Watched watched;
  CHECK(watched.found_in(100, false) == 0);
  CHECK(watched.looks == 0);
}

TEST_CASE("frozen watch: the time of a process that does something in between begins anew") {
  Watched watched;
  for (int i = 0; i < 100; ++i) {
    CHECK(watched.found_in(kTicks) == 0);
    CHECK(watched.found_in(1, false) == 0);
  }
}

TEST_CASE("frozen watch: a process that could run and gets no CPU is waited for") {
  Watched watched;
  watched.process->state = 'R';
  CHECK(watched.found_in(100 * kTicks) == 0);
}

TEST_CASE("frozen watch: a process that waits, but uses some CPU time, is not frozen") {
  Watched watched;
  for (int i = 0; i < 100; ++i) {
    CHECK(watched.found_in(kTicks) == 0);
    ++watched.process->cpu_ns;
  }
  CHECK(watched.found_in(kTicks) == 0);  // it has used CPU time since the look before
  CHECK(watched.found_in(kTicks) == 'S');
}

TEST_CASE("frozen watch: without an excuse, a sleeping process is found despite its CPU time") {
  const auto found_at = [](char state) {
    FrozenWatch watch;
    ProcessLook process{state, 7};
    char found = 0;
    for (uint32_t i = 0; i <= kTicks; ++i) {
      ++process.cpu_ns;
      const auto look = watch.on_tick(
          kTicks, [&] { return std::optional(process); }, FrozenWatch::Excuse::kNone);
      if (look) found = look->state;
    }
    return found;
  };
  CHECK(found_at('S') == 'S');
  CHECK(found_at('R') == 0);
}

TEST_CASE("frozen watch: a process that uses much CPU time for something else is found") {
  Watched watched;
  watched.process->state = 'R';
  CHECK(watched.found_in(1) == 0);
  watched.process->cpu_ns += FrozenWatch::kSpinNs - 1;
  CHECK(watched.found_in(kTicks) == 0);
  watched.process->cpu_ns += 1;
  CHECK(watched.found_in(kTicks) == 'R');
}

TEST_CASE("frozen watch: a process that has ended is not frozen, and the next look begins anew") {
  Watched watched;
  watched.process.reset();
  CHECK(watched.found_in(100) == 0);
  watched.process = ProcessLook{'R', 100 * FrozenWatch::kSpinNs};
  CHECK(watched.found_in(100) == 0);
}

TEST_CASE("stall watch: jobs without a result and without anybody at work are a stall") {
  constexpr uint32_t kStall = StallWatch::kTicks;
  StallWatch watch;
  bool is_at_work = false;
  const auto ticks = [&](uint32_t count, uint64_t jobs, uint64_t results) {
    for (uint32_t i = 0; i < count; ++i)
      watch.on_tick(jobs, results, [&] { return is_at_work; });
    return watch.is_stalled();
  };
  CHECK(!ticks(100, 0, 0));         // nothing to do
  CHECK(!ticks(kStall - 1, 1, 0));  // not yet
  CHECK(ticks(1, 1, 0));
  CHECK(ticks(100, 2, 0));
  CHECK(!ticks(1, 2, 1));  // one is done
  CHECK(ticks(kStall, 2, 1));
  CHECK(!ticks(1, 0, 1));  // none is left
  is_at_work = true;       // a long job
  CHECK(!ticks(100, 1, 1));
  is_at_work = false;  // its worker was stopped
  CHECK(ticks(kStall, 1, 1));
}

TEST_CASE("process look: a stopped process is told from one that waits, and from none") {
  test::Child child([] {
    ::raise(SIGSTOP);
    return 0;
  });
  REQUIRE(child.was_stopped());
  const auto stopped = look_at_process(child.pid());
  REQUIRE(stopped);
  CHECK(stopped->state == 'T');
  CHECK(stopped->cpu_ns > 0);
  CHECK(look_at_process(child.pid())->cpu_ns == stopped->cpu_ns);
  const auto own = look_at_process(::getpid());
  REQUIRE(own);
  CHECK(own->state == 'R');
  const pid_t gone = child.pid();
  child.kill();
  CHECK(!look_at_process(gone));
  CHECK(cpu_ns_of(gone) == 0);
}

}  // namespace ringmaster::master
