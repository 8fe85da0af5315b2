// collect_state(): collects the values that the status port's pages show from the master's parts.
//
// Processes: the master only.
// Cost:      some system calls for each worker, and a look at each connection and client: at 10,000
//            connections some 0.2 ms. The pages keep their answers for a while.
#pragma once

#include "master/admin/server_state.h"
#include "master/deployment/rollout.h"
#include "master/frontend/frontend.h"

namespace ringmaster::master {

// Leaves out what its caller knows: the health, the uptime, the configuration with its hash, the
// trace spans. Collects at most 1,000 clients.
ServerState collect_state(const Rollout& rollout, const Frontend& frontend);

// Eight digits that change with each change of the effective configuration.
std::string configuration_hash(const Options& options);

}  // namespace ringmaster::master
