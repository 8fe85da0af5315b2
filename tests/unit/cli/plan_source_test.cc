// The load that `ringmaster plan --from` takes from two samples of a server.
#include "cli/plan_source.h"

#include <doctest/doctest.h>

namespace ringmaster::cli {
namespace {

// A server with two workers, `seconds` after its start. It has given 40 results and 10 refusals a
// second. A result of `score` takes 70 ms of fetches, 10 ms of waiting and 30 ms of running.
Sample sample(uint64_t seconds) {
  Sample made;
  made.pid = 42;
  made.at_s = 100 + static_cast<double>(seconds);
  made.bounds_ms = {32, 64, 128};
  const uint64_t results = 40 * seconds;
  const double ms = static_cast<double>(results);
  MethodSample& method = made.methods["score"];
  method.admitted = method.ok = results;
  method.errors["-32009 overloaded"] = 10 * seconds;
  method.total = {0, 0, results, 0};
  method.fetch = {0, 0, results, 0};
  method.queue = method.run = {results, 0, 0, 0};
  method.total_ms = 110 * ms;
  method.queue_ms = 10 * ms;
  method.run_ms = 30 * ms;
  made.methods["rpc.discover"].ok = seconds;
  made.workers.resize(2);
  for (WorkerSample& worker : made.workers)
    worker.busy_s = 0.6 * static_cast<double>(seconds);
  return made;
}

}  // namespace

TEST_CASE("plan --from: rates, times and refusals are measured") {
  const Result<MeasuredLoad> found = measured_load({{sample(10), sample(20)}});
  REQUIRE(found);
  CHECK(found->fleet.nodes == 1);
  CHECK(found->fleet.workers == 2);
  REQUIRE(found->load.methods.size() == 1);  // no worker ran rpc.discover
  const plan::MethodLoad& method = found->load.methods[0];
  CHECK(method.name == "score");
  CHECK(method.rate == doctest::Approx(50));
  CHECK(method.run.mean_s == doctest::Approx(0.03));
  CHECK(method.fetch.mean_s == doctest::Approx(0.07));
  plan::Random random(1);
  CHECK(method.fetch.draw(random) == doctest::Approx(0.07));
  CHECK(found->estimate.utilisation == doctest::Approx(0.6));
  CHECK(found->estimate.refused == doctest::Approx(0.2));
  REQUIRE(found->estimate.latency);
  CHECK(found->estimate.latency->wait_mean_s == doctest::Approx(0.01));
}

TEST_CASE("plan --from: a worker is not free while its next job, or its result, is on the way") {
  const auto run_s = [](double run_ms, double rest_ms = 0.25) {
    Sample before = sample(10);
    Sample after = sample(20);
    for (Sample* each : {&before, &after}) {
      MethodSample& method = each->methods["score"];
      const double results = static_cast<double>(method.ok);
      method.fetch = {};
      method.run_ms = run_ms * results;
      method.total_ms = method.queue_ms + (run_ms + rest_ms) * results;
    }
    const Result<MeasuredLoad> found = measured_load({{before, after}});
    REQUIRE(found);
    CHECK(found->load.methods[0].fetch.mean_s == 0);
    return found->load.methods[0].run.mean_s;
  };
  CHECK(run_s(5) == doctest::Approx(0.00525));
  CHECK(run_s(0.5) == doctest::Approx(0.0005));   // the next job is published meanwhile
  CHECK(run_s(2, 14) == doctest::Approx(0.002));  // a job of a batch of eight
}

TEST_CASE("plan --from: the loads of several servers add up") {
  const Result<MeasuredLoad> found =
      measured_load({{sample(10), sample(20)}, {sample(5), sample(10)}, {sample(0), sample(1)}});
  REQUIRE(found);
  CHECK(found->fleet.nodes == 3);
  CHECK(found->fleet.workers == 2);
  CHECK(found->load.rate() == doctest::Approx(150));
  CHECK(found->estimate.utilisation == doctest::Approx(0.6));
}

TEST_CASE("plan --from: samples that cannot be compared are an error") {
  const Sample before = sample(10);
  Sample restarted = sample(20);
  restarted.pid = 43;
  CHECK_FALSE(measured_load({{before, restarted}}));
  CHECK_FALSE(measured_load({{before, before}}));
  Sample other_workers = sample(20);
  other_workers.workers.resize(3);
  CHECK_FALSE(measured_load({{before, sample(20)}, {before, other_workers}}));
  Sample idle = before;
  idle.at_s += 10;
  const Result<MeasuredLoad> found = measured_load({{before, idle}});
  REQUIRE_FALSE(found);
  CHECK(found.error().message.find("--seconds") != std::string::npos);
}

}  // namespace ringmaster::cli
