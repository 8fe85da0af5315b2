#include "base/telemetry/failure_summary.h"

#include <doctest/doctest.h>

#include "base/clock.h"
#include "base/telemetry/recorder.h"
#include "base/telemetry/stages.h"

namespace ringmaster::telemetry {
namespace {

constexpr NameId kScore = 2, kTooLate = 3, kUsers = 4, kFull = 5;

Event end_at(uint64_t ms, int32_t code = 0, NameId reason = 0,
             EventKind kind = EventKind::kAnswered) {
  Event end;
  end.at_ns = ms * kNsPerMs;
  end.code = code;
  end.reason = reason;
  end.kind = kind;
  end.method = kScore;
  end.request = ms;
  return end;
}

Event refused_at(uint64_t ms, NameId reason = kTooLate) {
  return end_at(ms, -32009, reason, EventKind::kRefused);
}

TEST_CASE("failure summary: the first failure has its line at once, the next ones after a second") {
  FailureSummary summary;
  for (uint64_t ms = 5000; ms < 5010; ++ms)
    CHECK(!summary.count(end_at(ms), 0));
  const auto first = summary.count(refused_at(5010), 0);
  REQUIRE(first);
  CHECK(first->count == 1);
  CHECK(first->of == 11);
  CHECK(first->first.request == 5010);
  for (uint64_t ms = 5100; ms < 5400; ++ms) {
    CHECK(!summary.count(refused_at(ms), 0));
    if (ms < 5200) CHECK(!summary.count(end_at(ms), 0));
  }
  CHECK(summary.take_due(6009 * kNsPerMs).empty());
  const auto due = summary.take_due(6010 * kNsPerMs);
  REQUIRE(due.size() == 1);
  CHECK(due[0].count == 300);
  CHECK(due[0].of == 400);
  CHECK(due[0].first.request == 5100);
  CHECK(summary.take_due(9000 * kNsPerMs).empty());
}

TEST_CASE("failure summary: a line never counts more failures than requests") {
  FailureSummary summary;
  CHECK(summary.count(refused_at(5000), 0));
  for (uint64_t ms = 5001; ms < 6000; ++ms)
    CHECK(!summary.count(refused_at(ms), 0));
  // The second is over, but no tick has come. A failure for another reason begins a new second.
  CHECK(summary.count(refused_at(6000, kFull), 0));
  const auto line = summary.count(refused_at(6001), 0);
  REQUIRE(line);
  CHECK(line->count == 1000);
  CHECK(line->of >= line->count);
}

TEST_CASE("failure summary: a failure after quiet hours counts among the requests of its second") {
  FailureSummary summary;
  CHECK(summary.count(refused_at(0), 0));
  for (uint64_t ms = 1; ms < 10'000; ++ms)
    CHECK(!summary.count(end_at(ms), 0));
  const auto line = summary.count(refused_at(10'001), 0);
  REQUIRE(line);
  CHECK(line->count == 1);
  CHECK(line->of <= 1001);
}

TEST_CASE("failure summary: reasons, upstreams and ways to fail have lines of their own") {
  FailureSummary summary;
  CHECK(summary.count(refused_at(1), 0));
  CHECK(summary.count(refused_at(2, kFull), 0));
  CHECK(summary.count(end_at(3, -32009, kTooLate), 0));
  const auto upstream = summary.count(end_at(4, -32009, kTooLate), kUsers);
  REQUIRE(upstream);
  CHECK(upstream->upstream == kUsers);
  Event other = refused_at(5);
  other.method = kScore + 100;
  CHECK(summary.count(other, 0));
  // None of these is the first of its kind in this second.
  CHECK(!summary.count(refused_at(6), 0));
  CHECK(!summary.count(refused_at(7, kFull), 0));
  CHECK(!summary.count(end_at(8, -32009, kTooLate), kUsers));
  CHECK(summary.take_due(2000 * kNsPerMs).size() == 3);
}

TEST_CASE("failure summary: a client that leaves is counted, although it gets no error") {
  FailureSummary summary;
  CHECK(summary.count(end_at(1, 0, 0, EventKind::kCancelled), 0));
  CHECK(!summary.count(end_at(2), 0));
}

TEST_CASE("failure summary: a line counts the failures of the client that it names") {
  FailureSummary summary;
  const auto refuse = [&](uint64_t ms, uint32_t client) {
    Event end = refused_at(ms);
    end.client = client;
    return summary.count(end, 0);
  };
  constexpr uint32_t kBatch = 7, kWeb = 8;
  const auto alone = refuse(1, kWeb);
  REQUIRE(alone);
  CHECK(alone->client_count == 1);
  for (uint64_t ms = 2; ms < 102; ++ms)
    CHECK(!refuse(ms, ms % 10 == 4 ? kWeb : kBatch));
  const auto due = summary.take_due(2000 * kNsPerMs);
  REQUIRE(due.size() == 1);
  CHECK(due[0].first.client == kBatch);
  CHECK(due[0].count == 100);
  CHECK(due[0].client_count == 90);
}

struct StagesScene {
  Recorder recorder;
  const NameId users = recorder.name("users");
  Trail trail{7, 0, 0, recorder.name("score")};

  Stages end(EventKind kind, uint64_t at_ns, const What& what) {
    recorder.record(trail, kind, at_ns, what);
    return stages_of(recorder.ring(), trail.last);
  }
};

TEST_CASE("stages: the times of all steps and attempts are added up") {
  StagesScene scene;
  Recorder& recorder = scene.recorder;
  recorder.record(scene.trail, EventKind::kAdmitted, 100);
  recorder.record(scene.trail, EventKind::kFetchBegun, 100, {.where = scene.users});
  recorder.record(scene.trail, EventKind::kFetchEnded, 400, {.took_ns = 300, .where = scene.users});
  recorder.record(scene.trail, EventKind::kQueued, 400);
  recorder.record(scene.trail, EventKind::kPublished, 450, {.took_ns = 50});
  recorder.record(scene.trail, EventKind::kLost, 500, {.took_ns = 50, .where = 1});
  recorder.record(scene.trail, EventKind::kQueued, 500);
  recorder.record(scene.trail, EventKind::kPublished, 600, {.took_ns = 100});
  recorder.record(scene.trail, EventKind::kRunEnded, 900, {.took_ns = 280, .where = 2});
  const Stages stages = scene.end(EventKind::kAnswered, 910, {.took_ns = 810});
  CHECK(stages.fetch_ns == 300);
  CHECK(stages.queue_ns == 150);
  CHECK(stages.run_ns == 330);
  CHECK(stages.lost == 1);
  CHECK(stages.worker == 2);
  CHECK(stages.failed_upstream == 0);
}

TEST_CASE("stages: the time of fetches that overlap counts once") {
  StagesScene scene;
  const auto fetch = [&](EventKind kind, uint64_t at_ns, uint8_t step, uint64_t took_ns = 0) {
    scene.recorder.record(scene.trail, kind, at_ns,
                          {.took_ns = took_ns, .where = scene.users, .step = step});
  };
  fetch(EventKind::kFetchBegun, 100, 0);
  fetch(EventKind::kFetchBegun, 100, 1);
  fetch(EventKind::kFetchBegun, 100, 2);
  fetch(EventKind::kFetchEnded, 150, 1, 50);
  fetch(EventKind::kFetchEnded, 300, 0, 200);
  fetch(EventKind::kFetchEnded, 400, 2, 300);
  fetch(EventKind::kFetchBegun, 450, 3);
  fetch(EventKind::kFetchEnded, 500, 3, 50);
  CHECK(scene.end(EventKind::kAnswered, 600, {.took_ns = 500}).fetch_ns == 350);
}

TEST_CASE("stages: the stage in which a request ends counts until its end") {
  StagesScene scene;
  scene.recorder.record(scene.trail, EventKind::kQueued, 400);
  CHECK(scene.end(EventKind::kExpired, 500, {}).queue_ns == 100);
  StagesScene running;
  running.recorder.record(running.trail, EventKind::kQueued, 400);
  running.recorder.record(running.trail, EventKind::kPublished, 410, {.took_ns = 10});
  running.recorder.record(running.trail, EventKind::kExpired, 700);
  const Stages stages = running.end(EventKind::kAnswered, 710, {.code = -32012});
  CHECK(stages.queue_ns == 10);
  CHECK(stages.run_ns == 300);
}

TEST_CASE("stages: the upstream is named whose fetch has failed, or whose body was no JSON") {
  StagesScene failed, invalid, other;
  failed.recorder.record(failed.trail, EventKind::kFetchEnded, 5,
                         {.code = kUpstreamFailed, .where = failed.users});
  CHECK(failed.end(EventKind::kAnswered, 6, {.code = kUpstreamFailed}).failed_upstream ==
        failed.users);
  invalid.recorder.record(invalid.trail, EventKind::kFetchEnded, 5, {.where = invalid.users});
  CHECK(invalid.end(EventKind::kAnswered, 6, {.code = kUpstreamFailed}).failed_upstream ==
        invalid.users);
  other.recorder.record(other.trail, EventKind::kFetchEnded, 5, {.where = other.users});
  CHECK(other.end(EventKind::kAnswered, 6, {.code = -32602}).failed_upstream == 0);
}

}  // namespace
}  // namespace ringmaster::telemetry
