#include "worker/low_priority.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ringmaster::worker {
namespace {

constexpr int kNice = 10;

bool try_set(int nice) {
  return ::setpriority(PRIO_PROCESS, 0, nice) == 0;
}

// A child lowers its priority and raises it again: this process could not undo a failure.
bool can_raise_again(int nice) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(try_set(kNice) && try_set(nice) ? 0 : 1);
  int status = -1;
  while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status == 0;
}

}  // namespace

LowPriority::LowPriority() {
  const int nice = ::getpriority(PRIO_PROCESS, 0);
  if (nice < kNice && can_raise_again(nice) && try_set(kNice)) before_ = nice;
}

LowPriority::~LowPriority() {
  if (before_ && !try_set(*before_))
    ::dprintf(STDERR_FILENO, "the priority stays low: %s\n", strerrordesc_np(errno));
}

}  // namespace ringmaster::worker
