// Random orders of events, over coalescing and cache.
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <set>
#include <string>

#include "shared_fetches_support.h"

namespace ringmaster::upstream {

using test::Started;
using test::VirtualUpstream;

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
