#include "worker/low_priority.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ringmaster::worker {
namespace {

constexpr int kNice = 10;
constexpr sched_param kNotRealTime{};

bool try_lower() {
  return ::setpriority(PRIO_PROCESS, 0, kNice) == 0 &&
         ::sched_setscheduler(0, SCHED_IDLE, &kNotRealTime) == 0;
}

bool try_raise(int nice) {
  return ::sched_setscheduler(0, SCHED_OTHER, &kNotRealTime) == 0 &&
         ::setpriority(PRIO_PROCESS, 0, nice) == 0;
}

// A child lowers its priority and raises it again: this process could not undo a failure.
bool can_raise_again(int nice) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(try_lower() && try_raise(nice) ? 0 : 1);
  int status = -1;
  while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status == 0;
}

}  // namespace

LowPriority::LowPriority() {
  const int nice = ::getpriority(PRIO_PROCESS, 0);
  const bool is_normal = ::sched_getscheduler(0) == SCHED_OTHER && nice < kNice;
  if (is_normal && can_raise_again(nice) && try_lower()) before_ = nice;
}

LowPriority::~LowPriority() {
  if (before_ && !try_raise(*before_))
    ::dprintf(STDERR_FILENO, "the priority stays low: %s\n", strerrordesc_np(errno));
}

}  // namespace ringmaster::worker
