#include "worker/overrun_timer.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"

namespace ringmaster::worker {
namespace {

// When the jobs in hand overrun.
std::atomic<uint64_t> due_ns = 0;
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// Calls only async-signal-safe functions.
void on_overrun(int) {
  const int error = errno;
  // An expiry for former jobs may have been under way when the timer was set anew.
  const Handler* const handler = Handler::running();
  if (handler != nullptr && handler->has_interrupt() && now_ns() >= due_ns) {
    handler->write_stack(STDERR_FILENO);
    handler->interrupt();
  }
  errno = error;
}

}  // namespace

Status OverrunTimer::create(const std::vector<Handler>& handlers) {
  if (std::ranges::none_of(handlers, &Handler::has_interrupt)) return {};
  struct sigaction action {};
  action.sa_handler = on_overrun;
  action.sa_flags = SA_RESTART;
  if (::sigaction(SIGRTMAX, &action, nullptr) != 0) return fail_errno("sigaction", errno);
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGRTMAX;
  event._sigev_un._tid = ::gettid();
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) {
    return fail_errno("timer_create", errno);
  }
  return {};
}

void OverrunTimer::set(const Handler& handler, uint64_t now_ns, uint64_t ends_ns) {
  if (!handler.has_interrupt()) {
    if (is_armed_) arm(0);
    return;
  }
  const uint64_t left_ns = ends_ns - std::min(now_ns, ends_ns);
  const uint64_t at_ns = ends_ns - std::min(left_ns / 8, kAheadNsMax);
  due_ns = at_ns;
  arm(at_ns);
}

// `at_ns` 0: disarms the timer.
void OverrunTimer::arm(uint64_t at_ns) {
  itimerspec time{};
  time.it_value = {static_cast<time_t>(at_ns / kNsPerS), static_cast<long>(at_ns % kNsPerS)};
  RM_ASSERT(::timer_settime(timer_, TIMER_ABSTIME, &time, nullptr) == 0);
  is_armed_ = at_ns != 0;
}

}  // namespace ringmaster::worker
