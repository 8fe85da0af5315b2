// The CPU time of the calling thread, in nanoseconds.
#pragma once

#include <cstdint>
#include <ctime>

#include "base/assert.h"
#include "base/clock.h"

namespace ringmaster {

inline uint64_t thread_cpu_ns() {
  timespec used{};
  RM_ASSERT(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0);
  return static_cast<uint64_t>(used.tv_sec) * kNsPerS + static_cast<uint64_t>(used.tv_nsec);
}

}  // namespace ringmaster
