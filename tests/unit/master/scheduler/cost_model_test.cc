#include "master/scheduler/cost_model.h"

#include <doctest/doctest.h>

namespace ringmaster::master {

TEST_CASE("costs: fetches that begin together cost as much as the longest") {
  using Kind = CostModel::StepKind;
  CostModel costs;
  const uint32_t method = costs.add_method(
      {Kind::kFetch, Kind::kFetchWithPrevious, Kind::kFetchWithPrevious, Kind::kFetch, Kind::kRun});
  const double times_ns[] = {20, 50, 30, 7, 100};
  for (size_t step = 0; step < 5; ++step)
    costs.seed(method, step, times_ns[step]);
  CHECK(costs.need(method, 0).fetch_ns == 57);
  CHECK(costs.need(method, 0).run_ns == 100);
  CHECK(costs.need(method, 3).fetch_ns == 7);
}

TEST_CASE("costs: what a method took before a reload counts as some runs") {
  CostModel before, after;
  const uint32_t method = before.add_method({CostModel::StepKind::kRun});
  after.add_method({CostModel::StepKind::kRun});
  for (int i = 0; i < 100; ++i)
    before.on_run(method, 0, 10);
  CHECK(!after.knows_runs(method));
  after.adopt(method, before, method);
  CHECK(after.knows_runs(method));
  CHECK(after.run_ns(method, 0) == 10);
  after.on_run(method, 0, 100);  // in a new worker
  CHECK(after.run_ns(method, 0) == 20);
  for (int i = 0; i < 40; ++i)
    after.on_run(method, 0, 100);  // a slower handler
  CHECK(after.run_ns(method, 0) > 80);
  CHECK(after.need(method, 0).deviation_ns > 0);
}

TEST_CASE("costs: a client's jobs may take longer than the mean, never less") {
  CostModel model;
  const uint32_t method = model.add_method({CostModel::StepKind::kRun});
  model.seed(method, 0, 10);
  ClientTimes longer, shorter;
  for (uint64_t i = 0; i < ClientTimes::kSamplesMin; ++i) {
    CHECK(model.run_ns(method, 0, &longer) == 10);
    longer.add(method, 0, 30, 1);
    shorter.add(method, 0, 1, 1);
  }
  CHECK(model.run_ns(method, 0, &longer) == 30);
  CHECK(model.need(method, 0, &longer).run_ns == 30);
  CHECK(model.run_ns(method, 0, &shorter) == 10);
  CHECK(model.run_ns(method, 0) == 10);
  longer.forget_old(1'000'000'000);
  CHECK(model.run_ns(method, 0, &longer) == 30);
  longer.forget_old(3'000'000'000);
  CHECK(model.run_ns(method, 0, &longer) == 10);
}

TEST_CASE("costs: a fetch cut off by its client has failed if it took unusually long") {
  CostModel model;
  const uint32_t method = model.add_method({CostModel::StepKind::kFetch});
  for (int i = 0; i < 100; ++i)
    model.on_fetched(method, 0, 70e6);
  model.on_fetch_cut_off(method, 0, 60e6);
  CHECK(model.need(method, 0).success == 1);
  model.on_fetch_cut_off(method, 0, 80e6);
  CHECK(model.need(method, 0).success < 1);
}

}  // namespace ringmaster::master
