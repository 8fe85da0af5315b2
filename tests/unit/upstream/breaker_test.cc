#include "upstream/breaker.h"

#include <cmath>
#include <doctest/doctest.h>
#include <random>
#include <vector>

namespace ringmaster::upstream {
namespace {

// One fetch, which takes 10 ms, or `failing_ms` if it fails.
Breaker::Change fetch(Breaker& breaker, uint64_t& now_ns, bool fails, uint64_t failing_ms = 1) {
  const auto pass = breaker.try_pass(now_ns);
  REQUIRE(pass);
  const uint64_t took_ns = (fails ? failing_ms : 10) * kNsPerMs;
  now_ns += took_ns;
  return fails ? breaker.on_failure(*pass, took_ns, now_ns)
               : breaker.on_answer(*pass, took_ns, now_ns);
}

// How many failures in a row open it, after ten answers.
size_t failures_until_open(const Breaker::Limits& limits, uint64_t failing_ms) {
  Breaker breaker(limits);
  uint64_t now_ns = kNsPerS;
  for (int i = 0; i < 10; ++i)
    fetch(breaker, now_ns, false);
  for (size_t failures = 1;; ++failures) {
    if (fetch(breaker, now_ns, true, failing_ms) == Breaker::Change::kOpened) return failures;
    REQUIRE(failures < 1000);
  }
}

// A fetch each 2 ms, which ends at once.
struct Load {
  Breaker breaker;
  uint64_t now_ns = kNsPerS;
  uint64_t passed = 0;
  uint64_t opened = 0;

  template <class Fails>
  void run(uint64_t ms, Fails fails) {
    for (const uint64_t end_ns = now_ns + ms * kNsPerMs; now_ns < end_ns; now_ns += 2 * kNsPerMs) {
      const auto pass = breaker.try_pass(now_ns);
      if (!pass) continue;
      ++passed;
      const Breaker::Change change = fails() ? breaker.on_failure(*pass, kNsPerMs, now_ns)
                                             : breaker.on_answer(*pass, kNsPerMs, now_ns);
      opened += change == Breaker::Change::kOpened;
    }
  }
};

}  // namespace

TEST_CASE("breaker: ten quick failures in a row open it, or five that take long") {
  CHECK(failures_until_open(Breaker::kUpstream, 1) == 10);
  CHECK(failures_until_open(Breaker::kUpstream, 1000) == 5);
}

TEST_CASE("breaker: half as many failures open that of an address") {
  CHECK(failures_until_open(Breaker::kAddress, 1) == 5);
  CHECK(failures_until_open(Breaker::kAddress, 1000) == 3);
}

TEST_CASE("breaker: it isolates for 100 ms, and twice as long after each failed probe") {
  Breaker breaker;
  uint64_t now_ns = kNsPerS;
  while (!breaker.is_open())
    fetch(breaker, now_ns, true);
  for (const uint64_t isolation_ms : {100, 200, 400, 800, 800, 800}) {
    CHECK(breaker.wait_ns(now_ns) == isolation_ms * kNsPerMs);
    CHECK(!breaker.try_pass(now_ns + isolation_ms * kNsPerMs - 1));
    now_ns += isolation_ms * kNsPerMs;
    CHECK(fetch(breaker, now_ns, true) == Breaker::Change::kNone);
  }
  now_ns += 800 * kNsPerMs;
  CHECK(fetch(breaker, now_ns, false) == Breaker::Change::kClosed);
}

TEST_CASE("breaker: one probe passes in each isolation time, also if none of them ends") {
  Breaker breaker;
  uint64_t now_ns = kNsPerS;
  while (!breaker.is_open())
    fetch(breaker, now_ns, true);
  now_ns += 100 * kNsPerMs;
  CHECK(breaker.try_pass(now_ns));
  CHECK(!breaker.try_pass(now_ns));
  CHECK(!breaker.try_pass(now_ns + 100 * kNsPerMs - 1));
  CHECK(breaker.try_pass(now_ns + 100 * kNsPerMs));
}

TEST_CASE("breaker: fetches that passed before it opened or closed change nothing") {
  Breaker breaker;
  uint64_t now_ns = kNsPerS;
  const auto early = breaker.try_pass(now_ns);
  while (!breaker.is_open())
    fetch(breaker, now_ns, true);
  CHECK(breaker.on_answer(*early, kNsPerMs, now_ns) == Breaker::Change::kNone);
  CHECK(breaker.is_open());
  now_ns += 100 * kNsPerMs;
  const auto probe = breaker.try_pass(now_ns);
  CHECK(breaker.on_answer(*probe, kNsPerMs, now_ns) == Breaker::Change::kClosed);
  for (int i = 0; i < 20; ++i) {
    CHECK(breaker.on_failure(*probe, kNsPerMs, now_ns) == Breaker::Change::kNone);
    CHECK(breaker.on_failure(*early, kNsPerMs, now_ns) == Breaker::Change::kNone);
  }
  CHECK(!breaker.is_open());
}

TEST_CASE("breaker: a relapse within 10 s isolates for longer, a later one for 100 ms") {
  for (const bool is_soon : {true, false}) {
    Breaker breaker;
    uint64_t now_ns = kNsPerS;
    while (!breaker.is_open())
      fetch(breaker, now_ns, true);
    now_ns += 100 * kNsPerMs;
    CHECK(fetch(breaker, now_ns, false) == Breaker::Change::kClosed);
    now_ns += (is_soon ? 1 : 11) * kNsPerS;
    int failures = 0;
    for (; !breaker.is_open(); ++failures)
      fetch(breaker, now_ns, true);
    CHECK(failures == 5);  // the sum was half full
    CHECK(breaker.wait_ns(now_ns) == (is_soon ? 200 : 100) * kNsPerMs);
  }
}

TEST_CASE("breaker: each relapse isolates for twice as long, and takes fewer failures") {
  struct Kind {
    Breaker::Limits limits;
    std::vector<uint64_t> isolations_ms;
  };
  const Kind kinds[] = {
      {Breaker::kUpstream, {100, 200, 400, 800, 800, 800, 800, 800, 800}},
      {Breaker::kAddress, {100, 200, 400, 800, 1600, 3200, 6400, 12'800, 12'800}},
  };
  for (const Kind& kind : kinds) {
    Breaker breaker(kind.limits);
    uint64_t now_ns = kNsPerS;
    double wanted = kind.limits.failures;
    for (const uint64_t isolation_ms : kind.isolations_ms) {
      int failures = 0;
      for (; !breaker.is_open(); ++failures)
        fetch(breaker, now_ns, true);
      CHECK(failures == std::ceil(wanted));
      wanted /= 2;
      CHECK(breaker.wait_ns(now_ns) == isolation_ms * kNsPerMs);
      now_ns += isolation_ms * kNsPerMs;
      CHECK(fetch(breaker, now_ns, false) == Breaker::Change::kClosed);
    }
  }
}

TEST_CASE("breaker: when it opens after it was forgiven, this is no relapse") {
  Breaker breaker;
  uint64_t now_ns = kNsPerS;
  for (int round = 0; round < 3; ++round) {
    while (!breaker.is_open())
      fetch(breaker, now_ns, true);
    CHECK(breaker.wait_ns(now_ns) == 100 * kNsPerMs);
    breaker.forgive(now_ns);
    CHECK(!breaker.is_open());
  }
  for (int relapse = 0; relapse < 5; ++relapse) {
    while (!breaker.is_open())
      fetch(breaker, now_ns, true);
    now_ns += kNsPerS;
    fetch(breaker, now_ns, false);
  }
  while (!breaker.is_open())
    fetch(breaker, now_ns, true);
  breaker.forgive(now_ns);
  CHECK(breaker.cost() == 0.5);
}

TEST_CASE("breaker: a tenth of failures never opens it, a half soon does") {
  std::minstd_rand random(7);
  const auto one_of = [&](uint32_t count) { return [&, count] { return random() % count == 0; }; };
  Load healthy, failing;
  healthy.run(200'000, one_of(10));
  CHECK(healthy.opened == 0);
  failing.run(2000, one_of(2));
  CHECK(failing.opened > 0);
}

TEST_CASE(
    "breaker: in an outage the first fetches pass, then only probes; a second "
    "after its end all fetches pass") {
  Load load;
  load.run(1000, [] { return false; });
  load.passed = 0;
  load.run(30'000, [] { return true; });
  CHECK(load.passed <= 10 + 3 + 30'000 / 800);
  load.run(1000, [] { return false; });
  CHECK(!load.breaker.is_open());
}

TEST_CASE("breaker: whatever happened before, a second of answers closes it") {
  std::minstd_rand random(11);
  Load load;
  for (int round = 0; round < 300; ++round) {
    const auto part = random() % 11;
    load.run(random() % 5000, [&] { return random() % 10 < part; });
    load.run(1000, [] { return false; });
    REQUIRE(!load.breaker.is_open());
  }
}

}  // namespace ringmaster::upstream
