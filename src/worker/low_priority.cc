#include "worker/low_priority.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ringmaster::worker {
namespace {

bool try_set(int policy) {
  constexpr sched_param kNone{};
  return ::sched_setscheduler(0, policy, &kNone) == 0;
}

// A child lowers its priority and raises it again: this process could not undo a failure.
bool can_raise_again() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(try_set(SCHED_IDLE) && try_set(SCHED_OTHER) ? 0 : 1);
  int status = -1;
  while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status == 0;
}

}  // namespace

LowPriority::LowPriority() {
  is_low_ = ::sched_getscheduler(0) == SCHED_OTHER && can_raise_again() && try_set(SCHED_IDLE);
}

LowPriority::~LowPriority() {
  if (is_low_ && !try_set(SCHED_OTHER))
    ::dprintf(STDERR_FILENO, "the priority stays low: %s\n", strerrordesc_np(errno));
}

}  // namespace ringmaster::worker
