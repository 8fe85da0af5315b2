// Fetches that get an answer that was kept.
#include <doctest/doctest.h>
#include <string>
#include <vector>

#include "shared_fetches_support.h"

namespace ringmaster::upstream {

using test::caching;
using test::got;
using test::VirtualUpstream;

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

TEST_CASE("shared fetches: after an answer's time to live the upstream is asked again") {
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

TEST_CASE(
    "shared fetches: the asked part is the part of recent fetches that the cache did not answer "
    "at once") {
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
    CHECK(got(upstream, fresh) == "[1]");  // [2] comes with the next turn
    const size_t next = upstream.start("/a");
    upstream.turn();
    CHECK(got(upstream, next) == "[2]");
    CHECK(upstream.asked_ever == 2);
  }
  SUBCASE("and the next fetch renews it if the renewal fails") {
    upstream.fail("/a", "connect");
    upstream.turn();
    upstream.start("/a");
    CHECK(upstream.asked_ever == 3);
  }
}

TEST_CASE(
    "shared fetches: a stale answer is used if the upstream has not decided on "
    "the request") {
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

TEST_CASE("shared fetches: a fetch that fails beside a fresh answer is a hit") {
  VirtualUpstream upstream(caching(100));
  const size_t first = upstream.start("/a"), second = upstream.start("/a");
  upstream.answer("/a", "[1]");
  upstream.pass(99);
  upstream.fail("/a", "connect");
  upstream.turn();
  CHECK(got(upstream, first) == "[1]");
  CHECK(got(upstream, second) == "[1]");
  CHECK(upstream.outcomes[second].sharing == Sharing::kHit);
  CHECK(upstream.count(Sharing::kStale) == 0);
}

TEST_CASE("shared fetches: a refusal is for all that wait, and drops the kept answer") {
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
    const size_t next = upstream.start("/a");  // neither the refusal nor the answer is kept
    upstream.fail("/a", "http_503");
    upstream.turn();
    CHECK(got(upstream, next) == "!http_503");
    CHECK(upstream.asked_ever == 3);
  }
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

}  // namespace ringmaster::upstream
