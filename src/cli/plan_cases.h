// Cases: a load on a fleet, and its estimates by formula, simulation and measurement. A plan shows
// each estimate in a column.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/plan_options.h"
#include "cli/plan_source.h"
#include "plan/estimate.h"
#include "plan/load.h"
#include "plan/sizing.h"

namespace ringmaster::cli {

struct PlanCase {
  struct Column {
    std::string source;  // "formula", "simulated" or "measured"
    plan::Estimate estimate;
  };

  std::string title;
  plan::Load load;
  plan::Fleet fleet;
  std::vector<Column> columns;
  plan::NodeNeeds needs;  // by the formula
};

struct Plan {
  plan::Load load;
  bool is_traced = false;  // the load is that of traces
  std::optional<plan::Promise> promise;
  size_t workers_needed = 0;  // in one node, for the promise; 0: there is no promise
  size_t nodes_needed = 0;
  std::vector<PlanCase> cases;
};

// `measured`: the load of --from; null: without --from. Fails (64) if no fleet can keep the
// promise, or if the options leave the fleet no node or no worker.
Result<Plan> make_plan(const PlanOptions& options, const MeasuredLoad* measured);

}  // namespace ringmaster::cli
