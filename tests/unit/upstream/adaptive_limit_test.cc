#include "upstream/adaptive_limit.h"

#include <doctest/doctest.h>
#include <queue>
#include <random>

#include "support.h"

namespace ringmaster::upstream {
namespace {

// An upstream with `places` that each serve a fetch in about `service_ns`, and a queue before them.
// There are always more fetches than the limit, or `wanted` of them.
struct Upstream {
  struct End {
    uint64_t at_ns;
    uint64_t began_ns;
    bool operator<(const End& other) const { return at_ns > other.at_ns; }
  };

  void run(uint64_t seconds) {
    served = 0;
    took_ns = 0;
    for (const uint64_t end_ns = now_ns + seconds * kNsPerS; now_ns < end_ns;) {
      while (ends.size() < std::min(limit.limit(), wanted)) {
        const uint64_t from_ns = std::max(now_ns, free_ns.top());
        free_ns.pop();
        const uint64_t at_ns = from_ns + service_ns * (90 + random() % 21) / 100;
        free_ns.push(at_ns);
        ends.push({at_ns, now_ns});
      }
      const End end = ends.top();
      now_ns = end.at_ns;
      limit.on_end(now_ns - end.began_ns, ends.size(), now_ns);
      ends.pop();
      took_ns += static_cast<double>(now_ns - end.began_ns);
      ++served;
    }
  }
  double usual_times() const {
    return took_ns / static_cast<double>(served) / static_cast<double>(service_ns);
  }
  // The part of its capacity that was used.
  double used(uint64_t seconds) const {
    return static_cast<double>(served * service_ns) /
           static_cast<double>(places * seconds * kNsPerS);
  }

  explicit Upstream(size_t its_places) : places(its_places) {
    for (size_t i = 0; i < places; ++i)
      free_ns.push(0);
  }

  size_t places;
  uint64_t service_ns = 10 * kNsPerMs;
  uint64_t wanted = 1'000'000;
  AdaptiveLimit limit{1000};
  uint64_t now_ns = kNsPerS;
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> free_ns;
  std::priority_queue<End> ends;
  std::minstd_rand random{3};
  uint64_t served = 0;
  double took_ns = 0;
};

}  // namespace

// Under sanitizers these two take as long as all other tests of this folder.
TEST_CASE("adaptive limit: under too much load the upstream is busy, and hardly queues" *
          doctest::skip(test::kIsSanitized)) {
  for (const size_t places : {4, 20, 100}) {
    CAPTURE(places);
    Upstream upstream(places);
    upstream.run(120);  // 20 fetches at first are far too many for 4 places
    upstream.run(15);
    CHECK(upstream.used(15) > 0.93);
    CHECK(upstream.usual_times() < 2.2);
    CHECK(upstream.limit.limit() >= places / 2);
    CHECK(upstream.limit.limit() < 2 * places + 4);
  }
}

TEST_CASE(
    "adaptive limit: an upstream that becomes slower or quicker for "
    "good is still busy, and hardly queues" *
    doctest::skip(test::kIsSanitized)) {
  for (const uint64_t service_ms : {2, 50}) {
    CAPTURE(service_ms);
    Upstream upstream(50);
    upstream.run(30);
    upstream.service_ns = service_ms * kNsPerMs;
    upstream.run(30);
    upstream.run(30);
    CHECK(upstream.used(30) > 0.93);
    CHECK(upstream.usual_times() < 2.2);
  }
}

TEST_CASE(
    "adaptive limit: under little load the limit stays, even if answers "
    "become slower: the usual time follows them") {
  Upstream upstream(50);
  upstream.wanted = 8;
  upstream.run(30);
  CHECK(upstream.limit.limit() == 20);
  upstream.service_ns *= 20;
  upstream.run(30);
  CHECK(upstream.limit.limit() == 20);
}

TEST_CASE("adaptive limit: it stays from 1 to its maximum, however long answers take") {
  std::minstd_rand random(9);
  for (const uint64_t max : {1, 2, 300}) {
    AdaptiveLimit limit(max);
    uint64_t now_ns = kNsPerS;
    for (int i = 0; i < 200'000; ++i) {
      now_ns += random() % (20 * kNsPerMs);
      limit.on_end(random() % (1u << random() % 30), random() % 400, now_ns);
      REQUIRE(limit.limit() >= 1);
      REQUIRE(limit.limit() <= max);
    }
  }
}

}  // namespace ringmaster::upstream
