// The errors for requests that are not admitted.
// Pure; the master only.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "master/scheduler/scheduler.h"
#include "rpc/errors.h"

namespace ringmaster::master {

inline uint64_t ms_rounded_up(uint64_t ns) {
  return (ns + kNsPerMs - 1) / kNsPerMs;
}

// -32009, retryable.
rpc::Error overloaded(std::string reason, std::string message);

// For a request that had `allowed_ns` until its deadline.
rpc::Error refused(const AdmissionRefusal& refusal, uint64_t allowed_ns);

}  // namespace ringmaster::master
