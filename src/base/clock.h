// Time as the server counts it: nanoseconds of CLOCK_MONOTONIC, the same in all its processes.
#pragma once

#include <cstdint>
#include <ctime>

namespace ringmaster {

inline constexpr uint64_t kNsPerMs = 1'000'000;
inline constexpr uint64_t kNsPerS = 1'000'000'000;

inline uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * kNsPerS + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace ringmaster
