// fit_to_descriptors(): how many connections the limit of descriptors allows.
//
// Processes: the master only; called before anything is started.
// Reason:    refusing a client with an error takes a descriptor. And clients must leave enough
//            descriptors for upstreams and a new generation.
#pragma once

#include "base/status.h"
#include "config/options.h"

namespace ringmaster::master {

// Raises the process's limit of descriptors to the hard limit, and lowers limits.connections to the
// descriptors that nothing else needs. Fails (71) when none are left.
[[nodiscard]] Status fit_to_descriptors(Options& options);

// Pure: the connections that so many descriptors allow; 0: too few.
uint64_t connections_allowed(const Options& options, uint64_t descriptors);

}  // namespace ringmaster::master
