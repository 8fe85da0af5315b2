#include "upstream/balancer.h"

#include <bit>
#include <doctest/doctest.h>
#include <queue>

namespace ringmaster::upstream {
namespace {

// One fetch each `gap_ns` for some seconds. An address's fetches take the time in `took_ns`; those
// where `fails` says so fail.
struct Traffic {
  struct End {
    uint64_t at_ns;
    Balancer::Choice choice;
    bool is_failure;
    bool operator<(const End& other) const { return at_ns > other.at_ns; }
  };

  explicit Traffic(std::vector<uint64_t> took) : took_ns(std::move(took)), got(took_ns.size()) {}

  template <class Fails>
  void run(uint64_t seconds, uint64_t gap_ns, Fails fails) {
    for (const uint64_t last_ns = now_ns + seconds * kNsPerS; now_ns < last_ns; now_ns += gap_ns) {
      while (!ends.empty() && ends.top().at_ns <= now_ns)
        end();
      const Balancer::Choice choice = balancer.pick(0, now_ns);
      ++got[choice.address];
      ends.push({now_ns + took_ns[choice.address], choice, fails(choice.address)});
      REQUIRE(balancer.ejected() <= balancer.size() / 2);
    }
  }
  void end() {
    const End one = ends.top();
    ends.pop();
    const uint64_t its_ns = took_ns[one.choice.address];
    if (one.is_failure) {
      balancer.on_failure(one.choice, its_ns, one.at_ns);
    } else {
      balancer.on_answer(one.choice, its_ns, one.at_ns);
    }
  }

  std::vector<uint64_t> took_ns;
  std::vector<uint64_t> got;
  Balancer balancer{took_ns.size()};
  uint64_t now_ns = kNsPerS;
  std::priority_queue<End> ends;
};

constexpr auto kNone = [](size_t) { return false; };

}  // namespace

TEST_CASE("balancer: equal addresses get equal parts") {
  Traffic traffic({5 * kNsPerMs, 5 * kNsPerMs, 5 * kNsPerMs});
  traffic.run(10, kNsPerMs, kNone);
  for (const uint64_t got : traffic.got)
    CHECK(got == doctest::Approx(10'000 / 3).epsilon(0.1));
}

TEST_CASE("balancer: an address that is 20 times slower gets a fetch now and then") {
  Traffic traffic({5 * kNsPerMs, 100 * kNsPerMs, 5 * kNsPerMs});
  traffic.run(60, kNsPerMs, kNone);
  CHECK(traffic.got[1] > 1);
  CHECK(traffic.got[1] < 600);  // 1 % of all
}

TEST_CASE("balancer: an address that fails is ejected, and back within a second of its recovery") {
  Traffic traffic({5 * kNsPerMs, 5 * kNsPerMs, 5 * kNsPerMs});
  traffic.run(10, kNsPerMs, [](size_t address) { return address == 1; });
  CHECK(traffic.balancer.ejected() == 1);
  CHECK(traffic.got[1] < 10 + 10 + 10'000 / 800);
  traffic.got.assign(3, 0);
  traffic.run(1, kNsPerMs, kNone);
  CHECK(traffic.balancer.ejected() == 0);
  traffic.run(60, kNsPerMs, kNone);
  CHECK(traffic.got[1] > 61'000 / 5);
}

TEST_CASE("balancer: an address that fails at once draws no more fetches than a healthy one") {
  Traffic traffic({5 * kNsPerMs, 1000, 5 * kNsPerMs});
  uint64_t number = 0;
  traffic.run(60, kNsPerMs, [&](size_t address) { return address == 1 && ++number % 2 == 0; });
  CHECK(traffic.got[1] < 60'000 / 3);
}

TEST_CASE("balancer: if all fail, half are ejected and the others are asked") {
  for (const size_t count : {1, 2, 3, 5, 16}) {
    Traffic traffic(std::vector<uint64_t>(count, kNsPerMs));
    traffic.run(5, kNsPerMs, [](size_t) { return true; });
    CHECK(traffic.balancer.ejected() == count / 2);
    traffic.run(5, kNsPerMs, kNone);
    CHECK(traffic.balancer.ejected() == 0);
  }
}

TEST_CASE("balancer: a fetch avoids the addresses that it has tried, while there are others") {
  std::minstd_rand random(5);
  for (const size_t count : {2, 3, 7, 16}) {
    Balancer balancer(count);
    uint64_t now_ns = kNsPerS;
    for (int fetch = 0; fetch < 3000; ++fetch) {
      Balancer::Addresses tried = 0;
      const size_t attempts = 1 + random() % 5;
      for (size_t attempt = 0; attempt < attempts; ++attempt) {
        const size_t untried = count - static_cast<size_t>(std::popcount(tried));
        const size_t ejected = balancer.ejected();
        REQUIRE(ejected <= count / 2);
        const Balancer::Choice choice = balancer.pick(tried, now_ns);
        if (untried > ejected) REQUIRE((tried >> choice.address & 1) == 0);
        tried |= 1u << choice.address;
        now_ns += random() % (20 * kNsPerMs);
        if (random() % 2 == 0) {
          balancer.on_failure(choice, kNsPerMs, now_ns);
        } else if (random() % 3 == 0) {
          balancer.on_cut_off(choice, kNsPerMs, now_ns);
        } else {
          balancer.on_answer(choice, kNsPerMs, now_ns);
        }
      }
    }
  }
}

}  // namespace ringmaster::upstream
