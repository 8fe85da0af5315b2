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

}  // namespace ringmaster::master
