// The load that `ringmaster plan --from` takes from a trace.
#include "cli/plan_trace.h"

#include <doctest/doctest.h>

#include "base/clock.h"
#include "master/admin/requests_json.h"
#include "master/admin/trace_json.h"

namespace ringmaster::cli {
namespace {

using telemetry::EventKind;
using telemetry::Recorder;
using telemetry::Trail;

// A request that fetches for 70 ms, waits for 10 and runs for 30.
Trail record(Recorder& recorder, uint64_t number, double at_s, int32_t code = 0) {
  Trail trail{number, 0, 0, recorder.name("score")};
  const auto at_ms = [at_s](uint64_t ms) {
    return static_cast<uint64_t>(at_s * kNsPerS) + ms * kNsPerMs;
  };
  const auto ns = [](uint64_t ms) { return ms * kNsPerMs; };
  const telemetry::NameId users = recorder.name("users");
  recorder.record(trail, EventKind::kAdmitted, at_ms(0));
  recorder.record(trail, EventKind::kFetchBegun, at_ms(0), {.where = users});
  recorder.record(trail, EventKind::kFetchEnded, at_ms(70), {.took_ns = ns(70), .where = users});
  recorder.record(trail, EventKind::kQueued, at_ms(70), {.step = 1});
  recorder.record(trail, EventKind::kPublished, at_ms(80), {.took_ns = ns(10), .step = 1});
  recorder.record(trail, EventKind::kRunEnded, at_ms(110),
                  {.took_ns = ns(30), .where = 1, .step = 1});
  recorder.record(trail, EventKind::kAnswered, at_ms(110),
                  {.took_ns = ns(110), .code = code, .reason = recorder.name("deadline")});
  return trail;
}

// `count` requests, 10 a second; each tenth of them misses its deadline.
std::string trace_of(size_t count, size_t at_once = 1) {
  Recorder recorder;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t group = i / at_once * at_once;
    record(recorder, i + 1, 100 + static_cast<double>(group) / 10, i % 10 == 9 ? -32012 : 0);
  }
  const double end_s = 100 + static_cast<double>(count) / 10;
  return master::recent_trace_json(recorder, static_cast<uint64_t>(end_s * kNsPerS), 2);
}

MeasuredLoad load_in(const std::string& trace) {
  const Result<Watched> watched = watched_in(trace);
  REQUIRE(watched);
  const Result<MeasuredLoad> load = measured_load({*watched});
  REQUIRE(load);
  return *load;
}

std::string fault_in(const std::string& trace) {
  const Result<Watched> watched = watched_in(trace);
  REQUIRE_FALSE(watched);
  CHECK(watched.error().exit_code == ExitCode::kUsage);
  return watched.error().message;
}

}  // namespace

TEST_CASE("plan --from: a trace has rates, times and misses") {
  const MeasuredLoad found = load_in(trace_of(1000));
  CHECK(found.fleet.workers == 2);
  CHECK(found.load.at_once == 1);
  REQUIRE(found.load.methods.size() == 1);
  const plan::MethodLoad& method = found.load.methods[0];
  CHECK(method.name == "score");
  CHECK(method.rate == doctest::Approx(10).epsilon(0.01));
  CHECK(method.run.mean_s == doctest::Approx(0.03));
  CHECK(method.fetch.mean_s == doctest::Approx(0.07));
  CHECK(method.run.cv == 0);
  CHECK(found.estimate.utilisation == doctest::Approx(0.15).epsilon(0.01));
  CHECK(found.estimate.refused == doctest::Approx(0.1).epsilon(0.01));
  REQUIRE(found.estimate.latency);
  CHECK(found.estimate.latency->wait_mean_s == doctest::Approx(0.01));
  CHECK(found.estimate.latency->p99_s == doctest::Approx(0.11).epsilon(0.045));
}

TEST_CASE("plan --from: a trace has requests that arrive together") {
  CHECK(load_in(trace_of(1000, 100)).load.at_once > 50);
}

TEST_CASE("plan --from: of a trace only the time counts in which no request is missing") {
  Recorder recorder;
  // Two that began long before: of the requests of their time, the trace has no others.
  for (const uint64_t number : {1, 2}) {
    Trail old{number, 0, 0, recorder.name("score")};
    recorder.record(old, EventKind::kAdmitted, kNsPerS);
    recorder.record(old, EventKind::kPublished, kNsPerS);
    if (number == 1) continue;  // it still runs
    recorder.record(old, EventKind::kRunEnded, 100 * kNsPerS,
                    {.took_ns = 99 * kNsPerS, .where = 0});
    recorder.record(old, EventKind::kAnswered, 100 * kNsPerS, {.took_ns = 99 * kNsPerS});
  }
  for (uint64_t i = 0; i < master::kRecentMax; ++i)
    record(recorder, i + 3, 101 + static_cast<double>(i) / 10);
  const MeasuredLoad found = load_in(master::recent_trace_json(recorder, 301 * kNsPerS, 2));
  CHECK(found.load.rate() == doctest::Approx(10).epsilon(0.01));
  CHECK(found.load.methods[0].run.mean_s == doctest::Approx(0.03));
  CHECK(found.estimate.utilisation == doctest::Approx(0.15).epsilon(0.01));
}

TEST_CASE("plan --from: a file that is no trace of a load is an error") {
  Recorder recorder;
  record(recorder, 1, 1);
  CHECK(fault_in(master::kept_trace_json(recorder, 2 * kNsPerS)).find("without --kept") !=
        std::string::npos);
  // One request: its end is the begin of the trace.
  CHECK(fault_in(master::recent_trace_json(recorder, 2 * kNsPerS, 1)).find("found none") !=
        std::string::npos);
  CHECK(fault_in(R"({"traceEvents":[]})").find("\"otherData\"") != std::string::npos);
  CHECK(fault_in("[]").find("`ringmaster trace`") != std::string::npos);
  CHECK(fault_in("{").find("at byte") != std::string::npos);
  CHECK(fault_in(std::string(1000, '[')).find("`ringmaster trace`") != std::string::npos);
  CHECK(fault_in(R"({"otherData":{"requests":"recent","workers":1e99},"traceEvents":[1,{}]})")
            .find("found none") != std::string::npos);
}

}  // namespace ringmaster::cli
