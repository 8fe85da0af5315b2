// Simulate: an estimate by the server's own scheduler (master/scheduler), in virtual time.
//
// Simulates one node, which gets its part of the requests at random (Poisson): the nodes are alike.
// All requests come from one client. Pure: the seed decides everything.
#pragma once

#include <cstdint>

#include "plan/estimate.h"
#include "plan/load.h"

namespace ringmaster::plan {

// Simulates about `requests` requests, in parts of at most 100,000. Does not count the first tenth
// of each part, in which the queues grow to their usual length.
Estimate simulate(const Load& load, const Fleet& fleet, uint64_t seed, uint64_t requests);

}  // namespace ringmaster::plan
