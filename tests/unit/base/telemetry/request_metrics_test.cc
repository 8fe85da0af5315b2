#include <doctest/doctest.h>
#include <numeric>

#include "base/telemetry/quantile.h"
#include "base/telemetry/recorder.h"

namespace ringmaster::telemetry {
namespace {

constexpr int32_t kDeadline = -32012;

struct Scene {
  Recorder recorder;
  const NameId method = recorder.name("score");

  Trail begin(uint64_t request) {
    Trail trail{request, 0, 0, method};
    recorder.record(trail, EventKind::kAdmitted, 0, {.took_ns = 5});
    return trail;
  }
  const RequestMetrics::Method& counted() { return recorder.metrics().methods()[method]; }
  uint64_t misses(Stage stage) { return counted().deadline_misses[static_cast<size_t>(stage)]; }
};

TEST_CASE("latency histogram: a time at a bound is within it, and nothing is lost") {
  LatencyHistogram histogram;
  histogram.record(0);
  histogram.record(250'000);
  histogram.record(250'001);
  histogram.record(16'384'000'000);
  histogram.record(16'384'000'001);
  CHECK(histogram.counts().front() == 2);
  CHECK(histogram.counts()[1] == 1);
  CHECK(histogram.counts()[21] == 1);
  CHECK(histogram.counts().back() == 1);
  CHECK(histogram.count() == 5);
  CHECK(histogram.sum_ns() == 250'000 + 250'001 + 16'384'000'000 + 16'384'000'001);
}

TEST_CASE("quantile: it is interpolated in its bucket") {
  using Counts = std::vector<uint64_t>;
  const std::vector<double> bounds = {1, 2, 4};
  CHECK(*quantile(Counts{0, 10, 0, 0}, bounds, 0.5) == doctest::Approx(1.5));
  CHECK(*quantile(Counts{10, 10, 0, 0}, bounds, 0.5) == doctest::Approx(1));
  CHECK(quantile(Counts{0, 0, 0, 7}, bounds, 0.5) == 4);  // beyond all bounds
  CHECK(!quantile(Counts{0, 0, 0, 0}, bounds, 0.5));
  CHECK(!quantile(Counts{}, bounds, 0.5));
}

TEST_CASE("request metrics: each end of a request counts once, by code and reason") {
  Scene scene;
  Trail ok = scene.begin(1);
  scene.recorder.record(ok, EventKind::kAnswered, 9, {.took_ns = 9});
  Trail failed = scene.begin(2);
  const NameId reason = scene.recorder.name("worker_died");
  scene.recorder.record(failed, EventKind::kAnswered, 9, {.code = -32014, .reason = reason});
  Trail left = scene.begin(3);
  scene.recorder.record(left, EventKind::kCancelled, 9);
  Trail cancelled = scene.begin(4);
  scene.recorder.record(cancelled, EventKind::kCancelled, 9, {.code = -32800});
  Trail refused{5, 0, 0, scene.method};
  scene.recorder.record(refused, EventKind::kRefused, 9, {.took_ns = 5, .code = -32009});
  const RequestMetrics::Method& method = scene.counted();
  CHECK(method.ok == 1);
  CHECK(method.total.count() == 1);
  CHECK(method.errors.at({-32014, reason}) == 1);
  CHECK(method.errors.at({-32800, 0}) == 1);
  CHECK(method.errors.at({-32009, 0}) == 1);
  CHECK(method.errors.size() == 3);
  CHECK(method.abandoned == 1);
  CHECK(method.admitted == 4);
  CHECK(method.offered_ns == 25);
}

TEST_CASE("request metrics: a prediction's error is early or late, never both") {
  Scene scene;
  const Trail request = scene.begin(1);
  scene.recorder.record_prediction(request, 10, 7);
  scene.recorder.record_prediction(request, 10, 10);
  scene.recorder.record_prediction(request, 10, 15);
  const RequestMetrics::Method& method = scene.counted();
  CHECK(method.early.count() == 2);
  CHECK(method.early.sum_ns() == 3);
  CHECK(method.late.count() == 1);
  CHECK(method.late.sum_ns() == 5);
}

TEST_CASE("request metrics: a handler that chooses ever new codes fills no memory") {
  Scene scene;
  for (int32_t code = 1; code <= 1000; ++code) {
    Trail trail = scene.begin(1);
    scene.recorder.record(trail, EventKind::kAnswered, 9, {.code = code});
  }
  CHECK(scene.counted().errors.size() == RequestMetrics::kErrorsMax + 1);
  CHECK(scene.counted().errors.at({0, Names::kOther}) == 1000 - RequestMetrics::kErrorsMax);
  Trail late = scene.begin(1);
  scene.recorder.record(late, EventKind::kAnswered, 9, {.code = kDeadline});
  CHECK(scene.counted().errors.at({kDeadline, 0}) == 1);
}

TEST_CASE("request metrics: a missed deadline counts once, for the stage that the request was in") {
  Scene scene;
  const auto miss = [&](std::initializer_list<EventKind> before) {
    Trail trail = scene.begin(1);
    for (const EventKind kind : before)
      scene.recorder.record(trail, kind, 1, {.where = static_cast<uint16_t>(Stage::kFetch)});
    scene.recorder.record(trail, EventKind::kAnswered, 2, {.code = kDeadline});
  };
  miss({EventKind::kFetchBegun, EventKind::kExpired});
  CHECK(scene.misses(Stage::kFetch) == 1);
  miss({EventKind::kFetchBegun, EventKind::kExpired, EventKind::kFetchEnded});
  CHECK(scene.misses(Stage::kFetch) == 2);
  // A worker finds the deadline to be over, before the run and after it.
  miss({EventKind::kQueued, EventKind::kPublished});
  CHECK(scene.misses(Stage::kQueue) == 1);
  miss({EventKind::kQueued, EventKind::kPublished, EventKind::kRunEnded});
  CHECK(scene.misses(Stage::kRun) == 1);
  CHECK(std::accumulate(scene.counted().deadline_misses.begin(),
                        scene.counted().deadline_misses.end(), uint64_t{0}) == 4);
}

TEST_CASE("request metrics: a worker slot's jobs outlive its worker; its progress does not") {
  Scene scene;
  scene.recorder.record(EventKind::kWorkerUp, 5, {.where = 2});
  Trail trail = scene.begin(1);
  scene.recorder.record(trail, EventKind::kRunEnded, 10, {.took_ns = 4, .where = 2});
  scene.recorder.record(EventKind::kWorkerEnded, 11,
                        {.reason = scene.recorder.name("SIGSEGV"), .where = 2});
  scene.recorder.record(EventKind::kWorkerUp, 20, {.where = 2});
  const RequestMetrics::Worker& worker = scene.recorder.metrics().workers()[2];
  CHECK(worker.jobs == 1);
  CHECK(worker.busy_ns == 4);
  CHECK(worker.ends == 1);
  CHECK(worker.last_progress_ns == 20);
  CHECK(scene.recorder.metrics().worker_ends().at(scene.recorder.name("SIGSEGV")) == 1);
}

}  // namespace
}  // namespace ringmaster::telemetry
