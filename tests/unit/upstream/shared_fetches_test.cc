// Fetches that share an answer that is under way.
#include <algorithm>
#include <doctest/doctest.h>

#include "shared_fetches_support.h"

namespace ringmaster::upstream {

using test::coalescing;
using test::got;
using test::Started;
using test::VirtualUpstream;

TEST_CASE(
    "shared fetches: equal fetches at the same time are sent as one, until all have the "
    "answer") {
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
  upstream.start("/a");  // the upstream is asked again
  CHECK(upstream.asked_ever == 3);
}

TEST_CASE("shared fetches: one turn answers only some fetches, so that the loop goes on") {
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

TEST_CASE("shared fetches: a request to the upstream goes on while any fetch waits for it") {
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
  const size_t last = upstream.start("/a");  // asks again: the other request was cancelled
  CHECK(upstream.asked.size() == 1);
  upstream.answer("/a", "[2]");
  upstream.cancel(last);  // after the answer, before the turn
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
  SUBCASE(
      "one fetch is cancelled at its job's deadline, and another one later for another reason") {
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

TEST_CASE("shared fetches: a request is cancelled as late only once recent ones were answered") {
  VirtualUpstream upstream(coalescing());
  upstream.start("/a");
  upstream.pass(100);
  upstream.answer("/a", "[1]");
  upstream.turn();
  const size_t leader = upstream.start("/a", 60'000);
  const auto join_and_leave_late = [&] {
    const size_t follower = upstream.start("/a", 60'000);
    upstream.pass(1);
    upstream.cancel(follower, true);
  };
  SUBCASE("younger than these") {
    upstream.pass(50);
    join_and_leave_late();
    upstream.pass(500);
    upstream.cancel(leader);
    CHECK(upstream.cancelled_late == 0);
  }
  SUBCASE("as old as these") {
    upstream.pass(99);
    join_and_leave_late();
    upstream.cancel(leader);
    CHECK(upstream.cancelled_late == 1);
  }
  CHECK(upstream.asked.empty());
}

TEST_CASE(
    "shared fetches: a failure is for fetches that waited at the request's start; later ones "
    "ask again") {
  VirtualUpstream upstream(coalescing());
  const size_t first = upstream.start("/a");
  const size_t late = upstream.start("/a", 700), later = upstream.start("/a", 900);
  upstream.pass(100);
  upstream.fail("/a", "connect");
  upstream.turn();
  CHECK(got(upstream, first) == "!connect");
  CHECK(upstream.asked_ever == 2);
  CHECK(upstream.asked.begin()->second.timeout_ms == 800);  // until `later` times out
  CHECK(upstream.asked.begin()->second.left_ms == 600);     // until `late` times out: it leads
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

}  // namespace ringmaster::upstream
