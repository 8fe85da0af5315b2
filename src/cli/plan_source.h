// The load of servers, for `ringmaster plan --from`.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "cli/top_sample.h"
#include "plan/estimate.h"
#include "plan/load.h"

namespace ringmaster::cli {

struct MeasuredLoad {
  plan::Load load;  // of all servers together
  plan::Fleet fleet;
  plan::Estimate estimate;  // measured on the servers
};

// Two samples of one server.
struct Watched {
  Sample before;
  Sample after;
  size_t at_once = 1;  // requests that arrive together; known only from a trace
};

// Asks the status port of each server, and again after `seconds`. Fails (71) if a server does not
// answer, was restarted meanwhile, has not as many workers as the others, or if no request got a
// result.
Result<MeasuredLoad> watch(const std::vector<std::string>& addresses, double seconds);

// The load in the samples of all servers together. The time of a request's fetches is its whole
// time less its wait and its run. REQUIRES: there is at least one server.
Result<MeasuredLoad> measured_load(const std::vector<Watched>& servers);

}  // namespace ringmaster::cli
