#include "upstream/balancer.h"

#include <bit>
#include <doctest/doctest.h>
#include <map>
#include <queue>
#include <string>

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

bool replace(Balancer& balancer, std::vector<std::string> names) {
  return balancer.replace(names, kNsPerS);
}

// How many of `count` fetches, one after the other, each address got.
std::map<std::string, int> picked(Balancer& balancer, int count) {
  std::map<std::string, int> got;
  for (int i = 0; i < count; ++i) {
    const Balancer::Choice choice = balancer.pick(0, kNsPerS);
    ++got[balancer.name(choice)];
    balancer.on_answer(choice, kNsPerMs, kNsPerS);
  }
  return got;
}

void eject(Balancer& balancer, const std::string& name) {
  const size_t before = balancer.ejected();
  Balancer::Choice choice = balancer.pick(0, kNsPerS);
  while (balancer.name(choice) != name) {
    balancer.on_answer(choice, kNsPerMs, kNsPerS);
    choice = balancer.pick(0, kNsPerS);
  }
  while (balancer.on_failure(choice, kNsPerMs, kNsPerS) == Breaker::Change::kNone)
    choice = balancer.pick(~(1u << choice.address), kNsPerS);  // the others count as tried
  CHECK(balancer.ejected() == before + 1);
}

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

TEST_CASE("balancer: of three addresses, the slow one and the one where half fails are left out") {
  std::minstd_rand random(3);
  uint64_t failed = 0;
  const auto half = [&](size_t address) {
    const bool fails = address == 2 && random() % 2 == 0;
    failed += fails;
    return fails;
  };
  Traffic traffic({5 * kNsPerMs, 100 * kNsPerMs, 5 * kNsPerMs});
  traffic.run(2, 5 * kNsPerMs, half);
  failed = traffic.got[1] = 0;
  traffic.run(60, 5 * kNsPerMs, half);
  CHECK(failed + traffic.got[1] < 60 * 200 / 200);  // half a percent of all
}

TEST_CASE("balancer: if the others fail, an address that has relapsed is probed soon") {
  std::minstd_rand random(3);
  Traffic traffic({5 * kNsPerMs, 5 * kNsPerMs});
  traffic.run(60, kNsPerMs, [&](size_t address) { return address == 0 && random() % 2 == 0; });
  REQUIRE(traffic.balancer.ejected() == 1);
  const auto second = [](size_t address) { return address == 1; };
  traffic.run(1, kNsPerMs, second);
  traffic.got.assign(2, 0);
  traffic.run(1, kNsPerMs, second);
  CHECK(traffic.got[0] > 990);
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

TEST_CASE("balancer: an address that has gone gets no fetch, and one that came gets its part") {
  Balancer balancer(1);
  const Balancer::Choice unnamed = balancer.pick(0, kNsPerS);
  CHECK(balancer.name(unnamed).empty());
  CHECK(replace(balancer, {"a", "b"}));
  CHECK(!replace(balancer, {"b", "a"}));
  CHECK(balancer.size() == 2);
  CHECK(picked(balancer, 1000).count("") == 0);
  CHECK(replace(balancer, {"c", "b"}));
  std::map<std::string, int> got = picked(balancer, 1000);
  CHECK(got.size() == 2);
  CHECK(got["b"] == doctest::Approx(500).epsilon(0.1));
  CHECK(got["c"] == doctest::Approx(500).epsilon(0.1));
  CHECK(balancer.on_failure(unnamed, kNsPerMs, kNsPerS) == Breaker::Change::kNone);
}

TEST_CASE("balancer: what is known of an address stays while it does, and no longer") {
  Balancer balancer(1);
  replace(balancer, {"a", "b", "c"});
  eject(balancer, "b");
  CHECK(balancer.ejected() == 1);
  replace(balancer, {"a", "b", "d"});
  CHECK(balancer.ejected() == 1);
  replace(balancer, {"a", "d"});
  CHECK(balancer.ejected() == 0);
  replace(balancer, {"a", "b", "d"});
  CHECK(balancer.ejected() == 0);
  CHECK(picked(balancer, 300)["b"] > 0);
}

TEST_CASE("balancer: if the healthy addresses go, half of the others are asked again") {
  Balancer balancer(1);
  replace(balancer, {"a", "b", "c", "d"});
  eject(balancer, "a");
  eject(balancer, "b");
  CHECK(balancer.ejected() == 2);
  replace(balancer, {"a", "b"});
  CHECK(balancer.ejected() == 1);
  CHECK(picked(balancer, 100).size() == 1);
  replace(balancer, {"b"});
  CHECK(balancer.ejected() == 0);
  CHECK(picked(balancer, 100)["b"] == 100);
}

TEST_CASE("balancer: a new address that hangs gets no more fetches than the others") {
  Balancer balancer(1);
  uint64_t now_ns = 1000 * kNsPerS;
  const auto set = [&](std::vector<std::string> names) { balancer.replace(names, now_ns); };
  set({"a", "b"});
  std::map<std::string, int> got;
  const auto run = [&] {
    for (int i = 0; i < 3000; ++i) {
      const Balancer::Choice choice = balancer.pick(0, now_ns);
      ++got[balancer.name(choice)];
      now_ns += kNsPerMs;
      if (balancer.name(choice) != "c") balancer.on_answer(choice, kNsPerMs, now_ns);
    }
  };
  run();
  set({"a", "b", "c"});
  run();
  CHECK(got["c"] > 0);
  CHECK(got["c"] < 20);
}

TEST_CASE("balancer: addresses that have gone keep their places until their fetches have ended") {
  Balancer balancer(1);
  std::vector<Balancer::Choice> hanging;
  std::vector<std::string> names;
  const auto fill = [&](const std::string& prefix) {
    names.clear();
    for (size_t i = 0; i < kAddressesMax; ++i)
      names.push_back(prefix + std::to_string(i));
    const bool has_changed = balancer.replace(names, kNsPerS);
    Balancer::Addresses tried = 0;
    for (size_t i = 0; i < kAddressesMax; ++i) {
      hanging.push_back(balancer.pick(tried, kNsPerS));
      tried |= 1u << hanging.back().address;
    }
    return has_changed;
  };
  CHECK(fill("a"));
  CHECK(fill("b"));
  CHECK(!fill("c"));  // all places are taken
  CHECK(balancer.name(hanging.back()).starts_with("b"));
  CHECK(balancer.size() == kAddressesMax);
  for (const Balancer::Choice& choice : hanging)
    balancer.on_cut_off(choice, kNsPerMs, kNsPerS);
  hanging.clear();
  CHECK(fill("c"));
  CHECK(balancer.name(hanging.back()).starts_with("c"));
  CHECK(balancer.size() == kAddressesMax);
}

}  // namespace ringmaster::upstream
