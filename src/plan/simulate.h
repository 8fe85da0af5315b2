// Simulate: an estimate by the server's own scheduler (master/scheduler), in virtual time.
//
// One node gets its part of the requests, at random (Poisson): all nodes do the same. All requests
// come from one client. Pure: the seed decides everything.
#pragma once

#include <cstdint>

#include "plan/estimate.h"
#include "plan/load.h"

namespace ringmaster::plan {

// Of about so many requests; the first tenth, while queues get as long as they do, is not counted.
Estimate simulate(const Load& load, const Fleet& fleet, uint64_t seed, uint64_t requests);

}  // namespace ringmaster::plan
