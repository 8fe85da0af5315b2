// `ringmaster plan`: how many workers and nodes a load needs, and how fast a fleet answers it.
#pragma once

#include "base/status.h"
#include "cli/plan_options.h"

namespace ringmaster::cli {

// Prints the plan, for people or as JSON. Fails with 64 if no plan is possible or a file of --from
// is no trace, with 71 if a server of --from cannot be watched.
Result<int> plan(const PlanOptions& options);

}  // namespace ringmaster::cli
