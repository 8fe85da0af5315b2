#include "upstream/answer_cache.h"

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace ringmaster::upstream {
namespace {

constexpr uint64_t kStartNs = kNsPerS;

KeyedHash key(std::string_view name) {
  return keyed_hash(name);
}

SharedAnswer body(std::string text) {
  return std::make_shared<const Answer>(Answer{std::move(text), {}});
}

SharedAnswer failure(std::string reason) {
  return std::make_shared<const Answer>(Answer{"", HttpClient::Failure{std::move(reason), ""}});
}

CacheOptions options_with(uint64_t bytes) {
  CacheOptions options;
  options.ttl_ms = 1000;
  options.bytes = bytes;
  return options;
}

// What find() says: "fresh", "stale" (to be renewed), "if error", or "none".
std::string found(AnswerCache& cache, std::string_view name, uint64_t after_ms) {
  const AnswerCache::Found one = cache.find(key(name), kStartNs + after_ms * kNsPerMs);
  if (one.answer == nullptr) return "none";
  if (one.is_fresh) return "fresh";
  return one.may_revalidate ? "stale" : "if error";
}

}  // namespace

TEST_CASE("answer cache: an answer is fresh for its time to live, then stale, then gone") {
  CacheOptions options = options_with(1 << 20);
  options.stale_while_revalidate_ms = 500;
  options.stale_if_error_ms = 2000;
  AnswerCache cache(options);
  CHECK(found(cache, "a", 0) == "none");
  cache.put(key("a"), body("1"), kStartNs);
  CHECK(found(cache, "a", 999) == "fresh");
  CHECK(found(cache, "a", 1000) == "stale");
  CHECK(found(cache, "a", 1499) == "stale");
  CHECK(found(cache, "a", 1500) == "if error");
  CHECK(found(cache, "a", 2999) == "if error");
  CHECK(found(cache, "a", 3000) == "none");
  CHECK(cache.bytes() == 0);
}

TEST_CASE("answer cache: a 404 lives for its own time and takes the place of an answer") {
  CacheOptions options = options_with(1 << 20);
  options.stale_if_error_ms = 10'000;
  SUBCASE("with a time to live") {
    options.negative_ttl_ms = 100;
    AnswerCache cache(options);
    cache.put(key("a"), body("1"), kStartNs);
    cache.put(key("a"), failure("http_404"), kStartNs);
    CHECK(cache.find(key("a"), kStartNs).answer->failure->reason == "http_404");
    CHECK(found(cache, "a", 100) == "none");
  }
  SUBCASE("without one") {
    AnswerCache cache(options);
    cache.put(key("a"), body("1"), kStartNs);
    cache.put(key("a"), failure("http_410"), kStartNs);
    CHECK(found(cache, "a", 0) == "none");
    CHECK(cache.bytes() == 0);
  }
}

TEST_CASE("answer cache: an answer that does not fit is not kept, and ends the former one") {
  AnswerCache cache(options_with(10'000));
  cache.put(key("a"), body("1"), kStartNs);
  cache.put(key("a"), body(std::string(10'000, 'x')), kStartNs);
  CHECK(found(cache, "a", 0) == "none");
  CHECK(cache.bytes() == 0);
}

TEST_CASE("answer cache: answers that are used stay while others pass through") {
  AnswerCache cache(options_with(100'000));
  const auto put = [&](const std::string& name) {
    cache.put(key(name), body(std::string(700, name[0])), kStartNs);
  };
  for (int i = 0; i < 50; ++i)
    put("used " + std::to_string(i));
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 50; ++i)
      REQUIRE(found(cache, "used " + std::to_string(i), 0) == "fresh");
  }
  for (int i = 0; i < 10'000; ++i)
    put("once " + std::to_string(i));
  for (int i = 0; i < 50; ++i)
    CHECK(found(cache, "used " + std::to_string(i), 0) == "fresh");
  CHECK(cache.evictions() > 9'000);
  CHECK(cache.bytes() <= 100'000);
}

TEST_CASE("answer cache: an answer that comes back soon after its eviction stays") {
  AnswerCache cache(options_with(100'000));
  const auto put = [&](const std::string& name) {
    cache.put(key(name), body(std::string(700, 'x')), kStartNs);
  };
  put("back");
  for (int i = 0; found(cache, "probe", 0) == "none" && cache.evictions() == 0; ++i)
    put("first " + std::to_string(i));
  CHECK(found(cache, "back", 0) == "none");
  put("back");
  for (int i = 0; i < 60; ++i)  // as many as would push it out if it were new
    put("then " + std::to_string(i));
  CHECK(found(cache, "back", 0) == "fresh");
}

TEST_CASE("answer cache: whatever is put, it finds the last answers, and its bytes are bounded") {
  std::mt19937 random(5);
  CacheOptions options = options_with(50'000);
  options.negative_ttl_ms = 300;
  options.stale_if_error_ms = 700;
  AnswerCache cache(options);
  std::map<int, std::pair<SharedAnswer, uint64_t>> last;
  uint64_t now = kStartNs;
  size_t hits = 0;
  for (int i = 0; i < 100'000; ++i) {
    now += random() % 2 * kNsPerMs;
    const int name = static_cast<int>(random() % 8 == 0 ? random() % 1000 : random() % 20);
    if (random() % 3 == 0) {
      const SharedAnswer made = random() % 5 == 0
                                    ? failure("http_404")
                                    : body(std::string(random() % 3000, 'x') + std::to_string(i));
      cache.put(key(std::to_string(name)), made, now);
      last[name] = {made, now};
    } else if (const auto one = cache.find(key(std::to_string(name)), now); one.answer) {
      ++hits;
      REQUIRE(one.answer == last.at(name).first);
      const uint64_t age_ms = (now - last.at(name).second) / kNsPerMs;
      REQUIRE(one.is_fresh == (age_ms < (one.answer->failure ? 300 : 1000)));
      REQUIRE(age_ms < 1700);
    }
    REQUIRE(cache.bytes() <= options.bytes);
  }
  CHECK(hits > 20'000);
  for (const auto& [name, unused] : last)
    cache.find(key(std::to_string(name)), now + 10 * kNsPerS);
  CHECK(cache.bytes() < options.bytes / 2);  // keys without answers are left
}

}  // namespace ringmaster::upstream
