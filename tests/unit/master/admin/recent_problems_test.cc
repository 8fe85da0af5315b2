#include "master/admin/recent_problems.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <string>

namespace ringmaster::master {
namespace {

using telemetry::EventKind;
using telemetry::NameId;
using telemetry::Recorder;
using telemetry::Stage;
using telemetry::Trail;

constexpr uint64_t kS = 1'000'000'000;

// A server with one worker and the method "score", which was started at second 1000. At second 2000
// its counts of former times are known; what a test records happens after that, and the look is at
// second 2005.
struct Scene {
  Recorder recorder;
  const NameId method = recorder.name("score");
  ServerState state;
  uint64_t next_request = 1;

  Scene() {
    state.now_ns = 2005 * kS;
    state.uptime_ns = 1005 * kS;
    state.workers_wanted = 1;
    for (int i = 0; i < 100; ++i)
      refuse("overloaded", 1500 * kS);
    for (int i = 0; i < 100; ++i)
      fail(-32000, "handler_failed", 1500 * kS);
    end_worker("SIGSEGV", 1500 * kS);
    fetch("users", "timeout", 1500 * kS);
  }

  Trail trail(uint32_t client = 0) { return {next_request++, 0, client, method}; }
  void answer(int count) {
    for (int i = 0; i < count; ++i) {
      Trail its = trail();
      recorder.record(its, EventKind::kAnswered, 2000 * kS, {.took_ns = 1});
    }
  }
  void refuse(const char* reason, uint64_t at_ns = 2000 * kS, const char* client = "web") {
    Trail its = trail(recorder.client(client));
    recorder.record(its, EventKind::kRefused, at_ns,
                    {.code = -32009, .reason = recorder.name(reason)});
  }
  void fail(int32_t code, const char* reason, uint64_t at_ns = 2000 * kS) {
    Trail its = trail();
    recorder.record(its, EventKind::kAnswered, at_ns,
                    {.code = code, .reason = recorder.name(reason)});
  }
  void miss(Stage stage) {
    Trail its = trail();
    recorder.record(its, EventKind::kExpired, 2000 * kS, {.where = static_cast<uint16_t>(stage)});
    recorder.record(its, EventKind::kAnswered, 2000 * kS,
                    {.code = -32012, .reason = recorder.name("deadline")});
  }
  void fetch(const char* upstream, const char* failure, uint64_t at_ns = 2000 * kS) {
    const bool failed = *failure != 0;
    Trail its = trail();
    recorder.record(its, EventKind::kFetchEnded, at_ns,
                    {.took_ns = 1,
                     .code = failed ? -32015 : 0,
                     .reason = recorder.name(failure),
                     .where = recorder.name(upstream)});
  }
  void end_worker(const char* reason, uint64_t at_ns = 2000 * kS) {
    recorder.record(EventKind::kWorkerEnded, at_ns, {.reason = recorder.name(reason), .where = 0});
  }
  // "bad: TEXT" or "look: TEXT", one a line.
  std::string text() const {
    std::string text;
    for (const Problem& one : recent_problems(state, recorder))
      text += fmt::format("{}: {}\n", one.is_bad ? "bad" : "look", one.text);
    return text;
  }
};

TEST_CASE("recent problems: what is over is none") {
  Scene scene;
  CHECK(scene.text() == "");
  scene.answer(100);
  CHECK(scene.text() == "");
}

TEST_CASE("recent problems: few failures may be chance, and a small part is not worth a line") {
  Scene scene;
  scene.refuse("overloaded");
  scene.refuse("overloaded");
  CHECK(scene.text() == "");
  scene.answer(500);
  scene.refuse("overloaded");
  CHECK(scene.text() == "");  // 3 of 503
  scene.refuse("overloaded");
  scene.refuse("overloaded");
  scene.refuse("overloaded");
  CHECK(scene.text().starts_with("bad: score: 1 % refused (overloaded): "));
}

TEST_CASE("recent problems: overload, with the load of the workers") {
  Scene scene;
  scene.answer(40);
  for (int i = 0; i < 60; ++i)
    scene.refuse("overloaded");
  scene.state.queued = 9;
  scene.state.workers.resize(1);
  scene.state.workers[0].busy_for_ns = 100 * kS;
  CHECK(scene.text() ==
        "bad: score: 60 % refused (overloaded): overload; the workers are busy 100 %, 9 requests "
        "wait\n");
}

TEST_CASE("recent problems: requests that would be late though the workers are idle") {
  Scene scene;
  scene.answer(40);
  for (int i = 0; i < 60; ++i)
    scene.refuse("too_late");
  CHECK(scene.text() ==
        "bad: score: 60 % refused (too_late): the clients allow less time than such requests take; "
        "the workers are busy 0 %, 0 requests wait\n");
}

TEST_CASE("recent problems: one client that asks for more than its share is told from several") {
  const auto text = [](int of_web, int of_batch) {
    Scene scene;
    scene.state.clients.resize(2);
    scene.state.clients[0].name = "web";
    scene.state.clients[1].name = "batch";
    scene.answer(50);
    for (int i = 0; i < of_web; ++i)
      scene.refuse("fair_share");
    for (int i = 0; i < of_batch; ++i)
      scene.refuse("fair_share", 2000 * kS, "batch");
    return scene.text();
  };
  CHECK(text(3, 47) ==
        "bad: score: 50 % refused (fair_share): one client, batch, asks for more than its share, "
        "and gets 94 % of all refusals\n");
  CHECK(text(25, 25) ==
        "bad: score: 50 % refused (fair_share): several clients ask for more than their shares; "
        "the workers are busy 0 %, 0 requests wait\n");
}

TEST_CASE("recent problems: missed deadlines, by the stage of most of them") {
  Scene scene;
  scene.answer(90);
  scene.miss(Stage::kQueue);
  for (int i = 0; i < 9; ++i)
    scene.miss(Stage::kRun);
  CHECK(scene.text() == "bad: score: 10 % miss their deadline, most while the handler ran\n");
}

TEST_CASE("recent problems: failures of the handler, and mistakes of clients") {
  Scene scene;
  scene.answer(50);
  for (int i = 0; i < 50; ++i)
    scene.fail(-32000, "handler_failed");
  CHECK(scene.text() == "bad: score: 50 % fail: -32000 handler_failed\n");
  for (int i = 0; i < 100; ++i)
    scene.fail(-32602, "invalid_params");
  CHECK(scene.text() == "look: score: 75 % fail: -32602 invalid_params\n");
}

TEST_CASE("recent problems: an upstream whose fetches fail, by all methods") {
  Scene scene;
  for (int i = 0; i < 60; ++i)
    scene.fetch("users", "");
  for (int i = 0; i < 10; ++i)
    scene.fetch("users", "connect");
  for (int i = 0; i < 30; ++i)
    scene.fetch("users", "timeout");
  for (int i = 0; i < 100; ++i)
    scene.fetch("fine", "");
  CHECK(scene.text() == "bad: upstream users: 40 % of fetches fail (timeout)\n");
}

TEST_CASE("recent problems: workers that crash, and not those that leave as they should") {
  Scene scene;
  for (int i = 0; i < 12; ++i)
    scene.end_worker("SIGSEGV", 1950 * kS);
  scene.end_worker("max_jobs");
  scene.end_worker("unwanted");
  scene.end_worker("oom");
  CHECK(scene.text() ==
        "bad: workers end: SIGSEGV 12 times within 60s\n"
        "look: workers end: oom (the kernel killed them, there was no memory) once within 60s\n");
}

TEST_CASE("recent problems: a server that has just started counts since its start") {
  Scene scene;
  scene.state.uptime_ns = 20 * kS;
  for (int i = 0; i < 5; ++i)
    scene.end_worker("SIGSEGV");
  CHECK(scene.text() == "bad: workers end: SIGSEGV 5 times within 20s\n");
}

}  // namespace
}  // namespace ringmaster::master
