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

}  // namespace ringmaster::master
