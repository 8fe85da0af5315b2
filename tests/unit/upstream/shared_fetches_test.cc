#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <set>

#include "shared_fetches_support.h"

namespace ringmaster::upstream {
namespace {

using test::Started;
using test::VirtualUpstream;

UpstreamOptions coalescing() {
  UpstreamOptions options;
  options.name = "u";
  options.coalesce = true;
  return options;
}

UpstreamOptions caching(uint64_t ttl_ms) {
  UpstreamOptions options;
  options.name = "u";
  options.cache.ttl_ms = ttl_ms;
  return options;
}

// "BODY", "!REASON", "?": no answer yet.
std::string got(const VirtualUpstream& upstream, size_t index) {
  const Started& its = upstream.outcomes[index];
  CHECK(its.answers <= 1);
  if (its.answers == 0) return "?";
  return its.reason.empty() ? its.body : "!" + its.reason;
}

}  // namespace

TEST_CASE("shared fetches: equal fetches under way at once are one, also while they are told") {
  VirtualUpstream upstream(coalescing());
  for (int i = 0; i < 1000; ++i)
    upstream.start("/a");
  const size_t other = upstream.start("/b");
  CHECK(upstream.asked_ever == 2);
  upstream.answer("/a", "[1]");
  const size_t late = upstream.start("/a");
  upstream.turn();
  for (size_t i = 0; i < 1000; ++i)
    REQUIRE(got(upstream, i) == "[1]");
  CHECK(got(upstream, late) == "[1]");
  CHECK(got(upstream, other) == "?");
  CHECK(upstream.count(Sharing::kMiss) == 1);
  CHECK(upstream.count(Sharing::kCoalesced) == 1000);
  CHECK(upstream.fetches.buffer_bytes() == 0);
  upstream.start("/a");  // the next one asks anew
  CHECK(upstream.asked_ever == 3);
}

TEST_CASE("shared fetches: one turn answers so many that the loop has its turn") {
  VirtualUpstream upstream(coalescing());
  for (int i = 0; i < 1000; ++i)
    upstream.start("/a");
  upstream.answer("/a", "[1]");
  upstream.fetches.turn(upstream.now_ns);
  const auto told = std::ranges::count(upstream.outcomes, 1, &Started::answers);
  CHECK(told > 0);
  CHECK(told < 500);
  CHECK(upstream.fetches.is_due());
  upstream.turn();
}

TEST_CASE("shared fetches: a fetch goes on while any follows it") {
  VirtualUpstream upstream(coalescing());
  for (int i = 0; i < 3; ++i)
    upstream.start("/a");
  upstream.cancel(0);
  upstream.cancel(2);
  upstream.answer("/a", "[1]");
  upstream.turn();
  CHECK(got(upstream, 0) == "?");
  CHECK(got(upstream, 1) == "[1]");
  const size_t only = upstream.start("/a");
  CHECK(upstream.asked.size() == 1);
  upstream.cancel(only);
  CHECK(upstream.asked.empty());
  const size_t last = upstream.start("/a");  // it does not join the cancelled one
  CHECK(upstream.asked.size() == 1);
  upstream.answer("/a", "[2]");
  upstream.cancel(last);  // between its end and the turn
  upstream.turn();
  CHECK(got(upstream, last) == "?");
  CHECK(upstream.fetches.buffer_bytes() == 0);
}

TEST_CASE("shared fetches: a request that uses up the time of any fetch is cancelled as late") {
  VirtualUpstream upstream(coalescing());
  const size_t leader = upstream.start("/a", 60'000), follower = upstream.start("/a", 50);
  SUBCASE("its own timeout") {
    upstream.cancel(leader);
    upstream.pass(50);
    CHECK(got(upstream, follower) == "!timeout");
    CHECK(upstream.cancelled_late == 1);
  }
  SUBCASE("the deadline of its job, though another one leaves last") {
    upstream.cancel(follower, true);
    CHECK(upstream.asked.size() == 1);
    upstream.cancel(leader);
    CHECK(upstream.cancelled_late == 1);
  }
  SUBCASE("but not because all have left") {
    upstream.cancel(follower);
    upstream.cancel(leader);
    CHECK(upstream.cancelled_late == 0);
  }
  CHECK(upstream.asked.empty());
}

TEST_CASE("shared fetches: a failure is of those that waited at its start, the others ask again") {
  VirtualUpstream upstream(coalescing());
  const size_t first = upstream.start("/a");
  const size_t late = upstream.start("/a", 700), later = upstream.start("/a", 900);
  upstream.pass(100);
  upstream.fail("/a", "connect");
  upstream.turn();
  CHECK(got(upstream, first) == "!connect");
  CHECK(upstream.asked_ever == 2);
  CHECK(upstream.asked.begin()->second.timeout_ms == 800);  // until the last one's timeout
  CHECK(upstream.asked.begin()->second.left_ms == 600);     // of the one that leads
  SUBCASE("and succeed") {
    upstream.answer("/a", "[1]");
    upstream.turn();
    CHECK(got(upstream, late) == "[1]");
    CHECK(got(upstream, later) == "[1]");
    CHECK(upstream.count(Sharing::kMiss) == 2);
    CHECK(upstream.count(Sharing::kCoalesced) == 1);
  }
  SUBCASE("and fail, too") {
    upstream.fail("/a", "connect");
    upstream.turn();
    CHECK(got(upstream, late) == "!connect");
    CHECK(got(upstream, later) == "!connect");
    CHECK(upstream.asked.empty());
  }
  SUBCASE("and have their own timeouts") {
    upstream.pass(599);
    CHECK(got(upstream, late) == "?");
    upstream.pass(1);
    CHECK(got(upstream, late) == "!timeout");
    CHECK(got(upstream, later) == "?");
    CHECK(upstream.asked.size() == 1);
  }
}

TEST_CASE("shared fetches: a 404 is an answer for all, and is not the upstream's failure") {
  UpstreamOptions options = caching(1000);
  options.coalesce = true;
  options.cache.negative_ttl_ms = 100;
  options.cache.stale_if_error_ms = 10'000;
  VirtualUpstream upstream(options);
  const size_t kept = upstream.start("/a");
  upstream.answer("/a", "[1]");
  upstream.turn();
  upstream.pass(1000);
  const size_t first = upstream.start("/a"), late = upstream.start("/a");
  upstream.fail("/a", "http_404");
  upstream.turn();
  CHECK(got(upstream, kept) == "[1]");
  CHECK(got(upstream, first) == "!http_404");
  CHECK(got(upstream, late) == "!http_404");
  const size_t again = upstream.start("/a");
  upstream.pass(100);
  CHECK(got(upstream, again) == "!http_404");
  CHECK(upstream.count(Sharing::kHit) == 1);
  CHECK(upstream.asked_ever == 2);
  upstream.start("/a");
  CHECK(upstream.asked_ever == 3);
}

TEST_CASE("shared fetches: the cache answers, and is asked again after its time to live") {
  VirtualUpstream upstream(caching(100));
  for (int i = 0; i < 3; ++i)
    upstream.start("/a");
  CHECK(upstream.asked_ever == 3);  // coalesce is off
  for (const char* body : {"[1]", "[2]", "[3]"})
    upstream.answer("/a", body);
  upstream.turn();
  const size_t hit = upstream.start("/a");
  CHECK(got(upstream, hit) == "?");  // no callback before start() has returned
  upstream.turn();
  CHECK(got(upstream, hit) == "[3]");
  CHECK(upstream.outcomes[hit].sharing == Sharing::kHit);
  const size_t cancelled = upstream.start("/a");
  upstream.cancel(cancelled);
  upstream.turn();
  CHECK(got(upstream, cancelled) == "?");
  upstream.pass(100);
  upstream.start("/a");
  CHECK(upstream.asked_ever == 4);
}

TEST_CASE("shared fetches: the part that asks the upstream follows the recent fetches") {
  VirtualUpstream upstream(caching(1000));
  CHECK(upstream.fetches.asked_part() == 1);
  upstream.start("/a");
  CHECK(upstream.fetches.asked_part() == 1);
  upstream.answer("/a", "[1]");
  upstream.turn();
  for (int i = 0; i < 9; ++i)
    upstream.start("/a");
  upstream.turn();
  CHECK(upstream.fetches.asked_part() == doctest::Approx(0.1));
  for (int i = 0; i < 500; ++i)
    upstream.start("/b");
  CHECK(upstream.fetches.asked_part() > 0.9);
}

TEST_CASE("shared fetches: while a stale answer is renewed once, all use it") {
  UpstreamOptions options = caching(100);
  options.cache.stale_while_revalidate_ms = 200;
  VirtualUpstream upstream(options);
  upstream.start("/a");
  upstream.answer("/a", "[1]");
  upstream.turn();
  upstream.pass(100);
  std::vector<size_t> stale;
  for (int i = 0; i < 5; ++i)
    stale.push_back(upstream.start("/a"));
  upstream.cancel(stale.back());
  upstream.turn();
  CHECK(upstream.asked.size() == 1);
  CHECK(upstream.asked_ever == 2);
  CHECK(got(upstream, stale[0]) == "[1]");
  CHECK(got(upstream, stale[3]) == "[1]");
  CHECK(upstream.count(Sharing::kStale) == 4);
  SUBCASE("and the new one after that") {
    upstream.answer("/a", "[2]");
    const size_t fresh = upstream.start("/a");
    upstream.turn();
    CHECK(got(upstream, fresh) == "[1]");  // the new one comes with the next turn
    const size_t next = upstream.start("/a");
    upstream.turn();
    CHECK(got(upstream, next) == "[2]");
    CHECK(upstream.asked_ever == 2);
  }
  SUBCASE("and the next one renews it if that fails") {
    upstream.fail("/a", "connect");
    upstream.turn();
    upstream.start("/a");
    CHECK(upstream.asked_ever == 3);
  }
}

TEST_CASE("shared fetches: a stale answer takes the place of a failure to decide") {
  UpstreamOptions options = caching(100);
  options.coalesce = true;
  options.cache.stale_if_error_ms = 60'000;
  VirtualUpstream upstream(options);
  upstream.start("/a");
  upstream.answer("/a", "[1]");
  upstream.turn();
  for (const char* reason : {"connect", "http_503", "http_429", "breaker_open", "too_large"}) {
    upstream.pass(1000);
    const size_t first = upstream.start("/a"), late = upstream.start("/a");
    upstream.fail("/a", reason);
    upstream.turn();
    CHECK(got(upstream, first) == "[1]");
    CHECK(got(upstream, late) == "[1]");
    CHECK(upstream.outcomes[late].sharing == Sharing::kStale);
    CHECK(upstream.asked.empty());
  }
  const size_t patient = upstream.start("/a"), late = upstream.start("/a", 10);
  upstream.pass(10);
  CHECK(got(upstream, late) == "[1]");
  CHECK(got(upstream, patient) == "?");
  upstream.pass(60'000);
  upstream.fail("/a", "connect");
  upstream.turn();
  CHECK(got(upstream, patient) == "!connect");
}

TEST_CASE("shared fetches: a refusal ends the use of the answer before it, and is for all") {
  UpstreamOptions options = caching(100);
  options.coalesce = true;
  options.cache.negative_ttl_ms = 60'000;
  options.cache.stale_if_error_ms = 60'000;
  for (const std::string reason : {"http_401", "http_403", "http_302", "http_422"}) {
    CAPTURE(reason);
    VirtualUpstream upstream(options);
    upstream.start("/a");
    upstream.answer("/a", "[1]");
    upstream.turn();
    upstream.pass(1000);
    const size_t first = upstream.start("/a"), late = upstream.start("/a");
    upstream.fail("/a", reason);
    upstream.turn();
    CHECK(got(upstream, first) == "!" + reason);
    CHECK(got(upstream, late) == "!" + reason);
    const size_t next = upstream.start("/a");  // the refusal is not kept, nor is what was before
    upstream.fail("/a", "http_503");
    upstream.turn();
    CHECK(got(upstream, next) == "!http_503");
    CHECK(upstream.asked_ever == 3);
  }
}

TEST_CASE("shared fetches: bodies under way have a bound, and one beyond it fails") {
  UpstreamOptions options = coalescing();
  options.body_bytes = 32 << 20;
  VirtualUpstream upstream(options);
  const uint64_t bytes_max = SharedFetches::buffer_bytes_max(options);
  CHECK(bytes_max == 128 << 20);
  std::vector<size_t> started;
  for (int i = 0; i < 5; ++i) {
    started.push_back(upstream.start("/" + std::to_string(i)));
    const auto& request = std::prev(upstream.asked.end())->second;
    // 32 MiB are announced, of which one byte has come.
    CHECK(request.on_bytes("x", 32 << 20) == (i < 4));
    CHECK(upstream.fetches.buffer_bytes() <= bytes_max);
  }
  upstream.fail("/4", "no_memory");
  upstream.turn();
  CHECK(got(upstream, started[4]) == "!no_memory");
  for (int i = 0; i < 4; ++i)
    upstream.cancel(started[static_cast<size_t>(i)]);
  CHECK(upstream.fetches.buffer_bytes() == 0);
}

TEST_CASE("shared fetches: a fetch without room for the body fails alone") {
  VirtualUpstream upstream(coalescing());
  upstream.start("/a");
  upstream.start("/a");
  int calls = 0;
  upstream.takes_bytes = [&] { return ++calls > 1; };
  upstream.answer("/a", "[1]");
  upstream.turn();
  CHECK(got(upstream, 0) == "!no_memory");
  CHECK(got(upstream, 1) == "[1]");
}

TEST_CASE("shared fetches: answers and counts outlive a configuration") {
  UpstreamOptions options = caching(1000);
  VirtualUpstream before(options), after(options);
  before.start("/a");
  before.answer("/a", "[1]");
  before.turn();
  after.fetches.adopt(before.fetches);
  const size_t hit = after.start("/a");
  after.turn();
  CHECK(got(after, hit) == "[1]");
  CHECK(after.count(Sharing::kMiss) == 1);
  CHECK(after.count(Sharing::kHit) == 1);
}

namespace {

// Does anything at any time, and checks that each fetch gets the right answer once, in time.
class Chaos {
 public:
  Chaos(const UpstreamOptions& options, unsigned seed) : upstream_(options), random_(seed) {
    upstream_.takes_bytes = [this] { return !is_one_of(20); };
    upstream_.on_answered = [this] {
      if (is_one_of(10)) upstream_.start(target());
      if (is_one_of(10)) cancel_any();
    };
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      time_out_requests();
      if (is_one_of(2)) upstream_.turn();
      check_requests();
    }
    finish();
  }

 private:
  static constexpr uint64_t kStepMs = 3;

  bool is_one_of(unsigned n) { return random_() % n == 0; }
  std::string target() { return "/" + std::to_string(random_() % 6); }

  void step() {
    switch (random_() % 6) {
      case 0:
      case 1:
        upstream_.start(target(), 1 + random_() % 60);
        return;
      case 2:
        return cancel_any();
      case 3:
        upstream_.now_ns += random_() % kStepMs * kNsPerMs;
        return upstream_.turn();
      default:
        return end_any();
    }
  }

  void cancel_any() {
    if (upstream_.outcomes.empty()) return;
    const size_t index = random_() % upstream_.outcomes.size();
    if (upstream_.outcomes[index].fetch != nullptr) upstream_.cancel(index);
  }

  void end_any() {
    if (upstream_.asked.empty()) return;
    auto at = upstream_.asked.begin();
    std::advance(at, random_() % upstream_.asked.size());
    const std::string target = at->second.target;
    if (is_one_of(4)) return upstream_.fail(target, is_one_of(2) ? "http_404" : "http_503");
    std::string body =
        target + " " + std::to_string(++bodies_) + std::string(random_() % 20'000, 'x');
    sent_[target].insert(body);
    upstream_.answer(target, body);
  }

  // HttpClient ends its fetches in time.
  void time_out_requests() {
    for (auto at = upstream_.asked.begin(); at != upstream_.asked.end();) {
      const auto one = at++;
      const auto [began, is_new] = began_.try_emplace(one->first, upstream_.now_ns);
      if (upstream_.now_ns - began->second < one->second.timeout_ms * kNsPerMs) continue;
      const HttpClient::Request request = std::move(one->second);
      upstream_.asked.erase(one);
      request.on_done(HttpClient::Failure{"timeout", ""}, 0);
    }
  }

  void check_requests() {
    if (upstream_.options.coalesce) {
      std::set<std::string> targets;
      for (const auto& [fetch, request] : upstream_.asked)
        REQUIRE(targets.insert(request.target).second);
    }
    REQUIRE(upstream_.fetches.cache().bytes() <= upstream_.options.cache.bytes);
  }

  void finish() {
    upstream_.on_answered = [] {};
    upstream_.turn();
    while (!upstream_.asked.empty()) {
      upstream_.answer(upstream_.asked.begin()->second.target, "the end");
      upstream_.turn();
    }
    REQUIRE(upstream_.fetches.buffer_bytes() == 0);
    REQUIRE(upstream_.fetches.next_timeout_ns() == UINT64_MAX);
    for (const Started& its : upstream_.outcomes)
      check(its);
  }

  void check(const Started& its) {
    CAPTURE(its.target);
    CAPTURE(its.reason);
    REQUIRE(its.answers == (its.is_cancelled ? 0 : 1));
    if (its.is_cancelled || its.body == "the end") return;
    REQUIRE(its.answered_ns <= its.timeout_ns + 3 * kStepMs * kNsPerMs);
    if (its.reason.empty()) {
      REQUIRE(sent_[its.target].contains(its.body));
    } else {
      const std::set<std::string> known = {"http_404", "http_503", "timeout", "no_memory"};
      REQUIRE(known.contains(its.reason));
    }
  }

  VirtualUpstream upstream_;
  std::mt19937 random_;
  uint64_t bodies_ = 0;
  std::map<std::string, std::set<std::string>> sent_;  // by target
  std::map<Attempts::Fetch*, uint64_t> began_;
};

}  // namespace

TEST_CASE("shared fetches: in any order of events each fetch has its right answer once, in time") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    UpstreamOptions options;
    options.coalesce = seed % 3 != 0;
    if (seed % 4 != 0) options.cache.ttl_ms = seed % 2 * 10;
    options.cache.stale_while_revalidate_ms = seed % 5 == 0 ? 20 : 0;
    options.cache.stale_if_error_ms = seed % 7 == 0 ? 50 : 0;
    options.cache.negative_ttl_ms = seed % 11 == 0 ? 5 : 0;
    options.cache.bytes = 64 << 10;
    Chaos(options, seed).run(2000);
  }
}

}  // namespace ringmaster::upstream
