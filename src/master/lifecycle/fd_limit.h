// How many clients the process's descriptors allow.
//
// Processes: the master only; called before anything is started.
// Reason:    a client that is one too many is told so as long as there is a descriptor to tell it
//            on, and upstreams and a new generation are not left without any by clients.
#pragma once

#include "base/status.h"
#include "config/options.h"

namespace ringmaster::master {

// Raises the process's limit of descriptors as far as it may, and lowers limits.connections to what
// is left of it beside all else. Fails (71) when that is nothing.
[[nodiscard]] Status fit_to_descriptors(Options& options);

// The same, pure: the connections that so many descriptors allow, 0 when they are too few.
uint64_t connections_allowed(const Options& options, uint64_t descriptors);

}  // namespace ringmaster::master
