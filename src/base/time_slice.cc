#include "base/time_slice.h"

#include <cstdint>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ringmaster {
namespace {

// The kernel's sched_attr: glibc of Debian 12 lacks it, and the kernel's own header defines
// sched_param once more.
struct Attributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t slice_ns;  // sched_runtime
  uint64_t deadline;
  uint64_t period;
};
constexpr uint64_t kResetOnFork = 1;  // SCHED_FLAG_RESET_ON_FORK

constexpr uint64_t kShortestNs = 100'000;  // the kernel's minimum

}  // namespace

void use_short_time_slices() {
  Attributes attributes{};
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER || attributes.nice < 0) return;
  attributes.flags |= kResetOnFork;
  attributes.slice_ns = kShortestNs;
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace ringmaster
