// No server listens at the addresses of these tests, so each attempt fails.
#include "upstream/attempts.h"

#include <doctest/doctest.h>
#include <optional>

#include "loop_support.h"

namespace ringmaster::upstream {
namespace {

UpstreamOptions options(size_t addresses = 1) {
  UpstreamOptions options;
  options.name = "users";
  options.url = "unix:/nobody/listens/0";
  while (options.further_urls.size() + 1 < addresses)
    options.further_urls.push_back("unix:/nobody/listens/" +
                                   std::to_string(options.further_urls.size() + 1));
  return options;
}

struct Asking {
  explicit Asking(UpstreamOptions options)
      : attempts(Attempts::create(loop.get(), options).value()) {}

  Attempts::Fetch* start(std::string_view method = "POST") {
    Attempts::Request request;
    request.method = method;
    request.timeout_ms = request.left_ms = 60'000;
    request.on_bytes = [](std::string_view, uint64_t) { return true; };
    request.on_done = [this](const std::optional<Attempts::Failure>& failure, uint64_t) {
      REQUIRE(failure);
      reasons.push_back(failure->reason);
      retry_after_ms = failure->retry_after_ms.value_or(0);
    };
    return attempts->start(std::move(request));
  }
  std::string fail() {
    start();
    const size_t before = reasons.size();
    loop.run_until([&] { return reasons.size() > before; });
    CHECK(attempts->in_flight() == 0);
    return reasons.back();
  }

  test::Loop loop;
  std::unique_ptr<Attempts> attempts;
  std::vector<std::string> reasons;  // of the fetches that have ended
  uint64_t retry_after_ms = 0;       // of the last one
};

}  // namespace

TEST_CASE("attempts: a fetch that reached no server is sent again, and ends once") {
  UpstreamOptions four = options();
  four.attempts = 4;
  Asking asking(four);
  CHECK(asking.fail() == "connect");
  CHECK(asking.reasons.size() == 1);
  CHECK(asking.attempts->counts().retries == 3);
  CHECK(asking.fail() == "connect");  // the budget is used up
  CHECK(asking.attempts->counts().retries == 3);
}

TEST_CASE("attempts: with an open breaker a fetch fails after start() has returned") {
  UpstreamOptions with_breaker = options();
  with_breaker.has_breaker = true;
  Asking asking(with_breaker);
  while (!asking.attempts->is_breaker_open())
    CHECK(asking.fail() == "connect");
  CHECK(asking.attempts->counts().breaker_opened == 1);
  do {  // a probe is due after a pause of 100 ms of this process
    const size_t before = asking.reasons.size();
    asking.start();
    CHECK(asking.reasons.size() == before);
    CHECK(asking.attempts->in_flight() == 1);
    asking.loop.run_until([&] { return asking.reasons.size() > before; });
  } while (asking.reasons.back() == "connect");
  CHECK(asking.reasons.back() == "breaker_open");
  CHECK(asking.retry_after_ms >= 1);
  CHECK(asking.retry_after_ms <= 801);
}

TEST_CASE("attempts: a fetch that the breaker refuses can be cancelled before it fails") {
  UpstreamOptions with_breaker = options();
  with_breaker.has_breaker = true;
  Asking asking(with_breaker);
  while (!asking.attempts->is_breaker_open())
    asking.fail();
  const size_t before = asking.reasons.size();
  Attempts::Fetch* const cancelled = asking.start();
  asking.start();
  asking.attempts->cancel(cancelled, false);
  asking.loop.run_until([&] { return asking.reasons.size() > before; });
  CHECK(asking.reasons.size() == before + 1);
  asking.start();  // is dropped with the upstream
  asking.start("GET");
}

TEST_CASE("attempts: addresses without a server are ejected, but for half of them") {
  Asking asking(options(5));
  for (int i = 0; i < 60; ++i)
    CHECK(asking.fail() == "connect");
  CHECK(asking.attempts->balancer().ejected() == 2);
  CHECK(Attempts::descriptors_max(options(5)) >= 5 * (256 / 5));
}

}  // namespace ringmaster::upstream
