#include "master/admin/plain_page.h"

#include <doctest/doctest.h>

namespace ringmaster::master {
namespace {

using telemetry::EventKind;

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("plain page: an empty server has its titles") {
  const telemetry::Recorder recorder;
  const std::string text = plain_page(ServerState{}, recorder);
  for (const char* title : {"METHOD", "WORKER", "UPSTREAM", "CLIENT", "GENERATION"})
    CHECK_MESSAGE(has(text, title), title);
}

TEST_CASE("plain page: counts, percentiles and errors of a method") {
  telemetry::Recorder recorder;
  for (int i = 0; i < 100; ++i) {
    telemetry::Trail trail{1, 0, recorder.client("web"), recorder.name("score")};
    recorder.record(trail, EventKind::kAdmitted, 0);
    recorder.record(trail, EventKind::kAnswered, 3'000'000, {.took_ns = 3'000'000});
  }
  telemetry::Trail trail{2, 0, recorder.client("web"), recorder.name("score")};
  recorder.record(trail, EventKind::kRefused, 0,
                  {.code = -32009, .reason = recorder.name("overloaded")});
  const std::string text = plain_page(ServerState{}, recorder);
  CHECK(has(text, "METHOD   OK  ERRORS  ABANDONED  P50    P95     P99"));
  // The bucket is from 2 to 4 ms.
  CHECK(has(text, "score   100       1          0  3ms  3.9ms  3.98ms"));
  CHECK(has(text, "score      -32009  overloaded      1"));
}

TEST_CASE("plain page: how the fetches of an upstream with a cache were answered") {
  ServerState state;
  state.upstreams.resize(2);
  state.upstreams[0].name = "none";
  state.upstreams[1].name = "users";
  state.upstreams[1].sharing = {{{"miss", 10}, {"hit", 90}}, 3 << 20, 7};
  const std::string text = plain_page(state, telemetry::Recorder());
  CAPTURE(text);
  CHECK(has(text,
            "CACHE OF          FETCHES  MEMORY  EVICTED\n"
            "users     10 miss, 90 hit  3.0MiB        7\n"));
}

TEST_CASE("plain page: which breakers are open, and which addresses are ejected") {
  ServerState state;
  state.upstreams.resize(2);
  state.upstreams[0].name = "fine";
  state.upstreams[1].name = "users";
  state.upstreams[1].is_breaker_open = true;
  state.upstreams[1].addresses = 3;
  state.upstreams[1].ejected = 1;
  const std::string text = plain_page(state, telemetry::Recorder());
  CAPTURE(text);
  CHECK(has(text,
            "UPSTREAM NOW  IN-FLIGHT  WAITING  CONNECTIONS  BREAKER  EJECTED\n"
            "fine                  0        0            0        -   0 of 1\n"
            "users                 0        0            0     open   1 of 3\n"));
}

TEST_CASE("plain page: what is wrong comes before the tables") {
  ServerState state;
  state.health = {false, "stalled"};
  state.clients.push_back({"web", 1, 0.5, 2, 0});
  telemetry::Recorder recorder;
  telemetry::Trail trail{1, 0, recorder.client("web"), recorder.name("score")};
  recorder.record(trail, EventKind::kAnswered, 1, {.took_ns = 1});
  recorder.record(trail, EventKind::kRefused, 2, {.code = -32009});
  recorder.record(trail, EventKind::kRefused, 3, {.code = -32009});
  recorder.record(trail, EventKind::kRefused, 4, {.code = -32601});
  const std::string text = plain_page(state, recorder);
  CAPTURE(text);
  const size_t wrong = text.find("WHAT IS WRONG\nbad: not ready: stalled\n");
  CHECK(wrong < text.find("METHOD "));
  CHECK(has(text,
            "CLIENT  TIME  WEIGHT  OK  REFUSED  IN-FLIGHT  MEMORY\n"
            "web      50%       1   1        2          2  0.0MiB\n"));
}

TEST_CASE("plain page: the faults of the last seconds are among those before the tables") {
  ServerState state;
  state.health.is_ready = true;
  CHECK(has(plain_page(state, telemetry::Recorder()), "WHAT IS WRONG\nnothing stands out\n"));
  telemetry::Recorder recorder;
  for (uint64_t i = 1; i <= 4; ++i) {
    telemetry::Trail trail{i, 0, 0, recorder.name("score")};
    recorder.record(trail, EventKind::kAnswered, 1,
                    {.code = -32000, .reason = recorder.name("handler_failed")});
  }
  CHECK(has(plain_page(state, recorder),
            "WHAT IS WRONG\nbad: score: 100 % fail: -32000 handler_failed\n"));
}

TEST_CASE("plain page: no control character of a name reaches a terminal") {
  ServerState state;
  state.clients.push_back({"\x1b[2J<b>\n\xff", 1, 0.5, 2, 0});
  const telemetry::Recorder recorder;
  const std::string text = plain_page(state, recorder);
  CHECK(has(text, "?[2J<b>??"));
  CHECK(has(text, "50%"));
  CHECK(text.find('\x1b') == std::string::npos);
}

}  // namespace
}  // namespace ringmaster::master
