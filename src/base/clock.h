// The server's time, in nanoseconds of CLOCK_MONOTONIC: the same in all processes. The time of day,
// in milliseconds and seconds since 1970.
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

inline int64_t unix_now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// Does not call time(2): its result may be a tick of the kernel behind CLOCK_REALTIME.
inline int64_t unix_now_s() {
  return unix_now_ms() / 1000;
}

}  // namespace ringmaster
