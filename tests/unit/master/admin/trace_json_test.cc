// Chrome's trace format: one request's bars, flow and waits, and the name of a hostile client.
#include "master/admin/trace_json.h"

#include <doctest/doctest.h>
#include <map>
#include <rapidjson/document.h>
#include <string>
#include <tuple>

#include "master/admin/requests_json.h"

namespace ringmaster::master {
namespace {

using rapidjson::Document;
using rapidjson::Value;
using telemetry::EventKind;
using telemetry::Recorder;
using telemetry::Trail;

constexpr uint64_t kUs = 1000;

Document parse(const std::string& text) {
  Document document;
  document.Parse(text);
  REQUIRE_FALSE(document.HasParseError());
  REQUIRE(document["traceEvents"].IsArray());
  return document;
}

// A request that fetches, waits and runs on worker 3; each stage takes some microseconds.
Trail record_request(Recorder& recorder, uint64_t request, uint64_t at_us, const char* client) {
  Trail trail{request, 0, recorder.client(client), recorder.name("score")};
  const telemetry::NameId users = recorder.name("users");
  recorder.record(trail, EventKind::kAdmitted, at_us * kUs);
  recorder.record(trail, EventKind::kFetchBegun, at_us * kUs, {.where = users});
  recorder.record(trail, EventKind::kFetchEnded, (at_us + 10) * kUs,
                  {.took_ns = 10 * kUs, .where = users});
  recorder.record(trail, EventKind::kQueued, (at_us + 10) * kUs, {.step = 1});
  recorder.record(trail, EventKind::kPublished, (at_us + 15) * kUs,
                  {.took_ns = 5 * kUs, .step = 1});
  recorder.record(trail, EventKind::kRunEnded, (at_us + 40) * kUs,
                  {.took_ns = 20 * kUs, .where = 3, .step = 1});
  recorder.record(trail, EventKind::kAnswered, (at_us + 41) * kUs, {.took_ns = 41 * kUs});
  return trail;
}

struct Bar {
  double begin;
  double end;
  bool operator==(const Bar&) const = default;
};

// The bars of all kinds, by category and name. Each "b" must have its "e".
std::map<std::string, std::vector<Bar>> bars_of(const Document& trace) {
  std::map<std::string, std::vector<Bar>> bars;
  std::map<std::tuple<std::string, uint64_t, std::string>, double> begun;
  for (const Value& event : trace["traceEvents"].GetArray()) {
    const std::string phase = event["ph"].GetString();
    if (phase != "X" && phase != "b" && phase != "e") continue;
    const std::string what =
        std::string(event["cat"].GetString()) + ' ' + event["name"].GetString();
    const double ts = event["ts"].GetDouble();
    if (phase == "X") {
      bars[what].push_back({ts, ts + event["dur"].GetDouble()});
      continue;
    }
    const std::tuple key(what, event["id"].GetUint64(), std::to_string(event["pid"].GetUint64()));
    if (phase == "b") {
      CHECK(begun.emplace(key, ts).second);
    } else {
      REQUIRE(begun.count(key) == 1);
      bars[what].push_back({begun[key], ts});
      begun.erase(key);
    }
  }
  CHECK(begun.empty());
  return bars;
}

TEST_CASE("trace: a request has bars for itself, its fetch, its wait and its run") {
  Recorder recorder;
  record_request(recorder, 7, 1000, "web");
  const auto bars = bars_of(parse(recent_trace_json(recorder, 2000 * kUs, 4)));
  CHECK(bars.at("request score") == std::vector<Bar>{{1000, 1041}});
  CHECK(bars.at("fetch users") == std::vector<Bar>{{1000, 1010}});
  CHECK(bars.at("queue queue") == std::vector<Bar>{{1010, 1015}});
  CHECK(bars.at("run score") == std::vector<Bar>{{1020, 1040}});
}

TEST_CASE("trace: a flow leads from the admission through the run to the answer") {
  Recorder recorder;
  record_request(recorder, 7, 1000, "web");
  record_request(recorder, 8, 1500, "web");
  std::map<uint64_t, std::string> phases;
  std::map<uint64_t, double> last;
  const Document trace = parse(recent_trace_json(recorder, 2000 * kUs, 4));
  for (const Value& event : trace["traceEvents"].GetArray()) {
    const std::string phase = event["ph"].GetString();
    if (phase != "s" && phase != "t" && phase != "f") continue;
    const uint64_t id = event["id"].GetUint64();
    phases[id] += phase;
    CHECK(event["ts"].GetDouble() >= last[id]);
    last[id] = event["ts"].GetDouble();
    if (phase == "t") CHECK(event["tid"].GetUint64() == 3);
  }
  CHECK(phases == std::map<uint64_t, std::string>{{7, "stf"}, {8, "stf"}});
}

TEST_CASE("trace: the number of requests that wait rises and falls") {
  Recorder recorder;
  record_request(recorder, 1, 1000, "web");
  record_request(recorder, 2, 1002, "web");
  Trail waits{3, 0, 0, recorder.name("score")};
  recorder.record(waits, EventKind::kAdmitted, 1100 * kUs);
  recorder.record(waits, EventKind::kQueued, 1100 * kUs);
  std::vector<std::pair<double, int64_t>> counts;
  const Document trace = parse(recent_trace_json(recorder, 2000 * kUs, 4));
  for (const Value& event : trace["traceEvents"].GetArray()) {
    if (event["ph"].GetString() != std::string("C")) continue;
    counts.emplace_back(event["ts"].GetDouble(), event["args"]["requests"].GetInt64());
  }
  CHECK(counts == std::vector<std::pair<double, int64_t>>{
                      {1010, 1}, {1012, 2}, {1015, 1}, {1017, 0}, {1100, 1}});
}

TEST_CASE("trace: a lost run, a cancelled wait and a fetch under way end where they should") {
  Recorder recorder;
  Trail lost{1, 0, 0, recorder.name("score")};
  recorder.record(lost, EventKind::kAdmitted, 100 * kUs);
  recorder.record(lost, EventKind::kPublished, 110 * kUs);
  recorder.record(lost, EventKind::kLost, 150 * kUs, {.took_ns = 40 * kUs, .where = 0});
  recorder.record(lost, EventKind::kLost, 160 * kUs, {.where = telemetry::kNowhere});
  Trail cancelled{2, 0, 0, recorder.name("score")};
  recorder.record(cancelled, EventKind::kQueued, 200 * kUs);
  recorder.record(cancelled, EventKind::kCancelled, 230 * kUs, {.took_ns = 40 * kUs});
  Trail fetching{3, 0, 0, recorder.name("score")};
  recorder.record(fetching, EventKind::kFetchBegun, 300 * kUs, {.where = recorder.name("users")});
  recorder.record(EventKind::kWorkerEnded, 155 * kUs,
                  {.reason = recorder.name("SIGSEGV"), .where = 0});
  const Document trace = parse(recent_trace_json(recorder, 350 * kUs, 4));
  const auto bars = bars_of(trace);
  CHECK(bars.at("run score") == std::vector<Bar>{{110, 150}});
  CHECK(bars.at("queue queue") == std::vector<Bar>{{200, 230}});
  CHECK(bars.at("fetch users") == std::vector<Bar>{{300, 350}});
  bool is_end_there = false;
  for (const Value& event : trace["traceEvents"].GetArray()) {
    if (event["ph"].GetString() == std::string("i"))
      is_end_there = event["args"]["reason"].GetString() == std::string("SIGSEGV");
  }
  CHECK(is_end_there);
}

TEST_CASE("trace: it says since when it has all requests") {
  Recorder recorder;
  for (uint64_t i = 0; i <= kRecentMax; ++i)
    record_request(recorder, i + 1, 1000 + 100 * i, "web");
  const Document trace = parse(recent_trace_json(recorder, 999'000 * kUs, 4));
  const Value& about = trace["otherData"];
  CHECK(about["requests"] == "recent");
  CHECK(about["since_us"].GetDouble() == 1141);  // the first request is not there
  CHECK(about["now_us"].GetDouble() == 999'000);
  CHECK(about["workers"].GetUint64() == 4);
  const Document kept = parse(kept_trace_json(recorder, 999'000 * kUs));
  CHECK(kept["otherData"]["requests"] == "kept");
  CHECK_FALSE(kept["otherData"].HasMember("since_us"));
}

TEST_CASE("trace: workers have names, and a client's name is text") {
  Recorder recorder;
  record_request(recorder, 1, 1000, "\"},{\"ph\":\"X\xff");
  const Document trace = parse(recent_trace_json(recorder, 2000 * kUs, 4));
  bool is_named = false;
  for (const Value& event : trace["traceEvents"].GetArray()) {
    if (event["ph"].GetString() != std::string("M")) continue;
    is_named |= event["args"]["name"].GetString() == std::string("worker 3");
  }
  CHECK(is_named);
  const auto kept = bars_of(parse(kept_trace_json(recorder, 2000 * kUs)));
  CHECK(kept.at("run score") == std::vector<Bar>{{1020, 1040}});
}

}  // namespace
}  // namespace ringmaster::master
