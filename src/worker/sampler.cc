#include "worker/sampler.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <span>
#include <unistd.h>
#include <unwind.h>

#include "worker/crash/crash_report.h"
#include "worker/crash/interrupted.h"
#include "worker/handler.h"

namespace ringmaster::worker {
namespace {

constexpr uint32_t kSamplesUntilDoubled = 16;
constexpr uint32_t kDoublingsMax = 10;

ipc::SampleRing* the_ring = nullptr;
JobAtWork the_job_at_work = nullptr;
uintptr_t the_outermost = 0;

// The stack that the signal handler is walking.
struct Walk {
  uintptr_t interrupted_at = 0;
  bool has_begun = false;  // false: the frames so far are the signal handler's own
  size_t depth = 0;
  const Handler* handler = nullptr;
  const void* place = nullptr;  // of Handler::frames()
  std::array<uint64_t, ipc::SampleRing::kFramesMax> frames{};
} walk;

// The job that was sampled last.
ipc::Publication last_job;
uint32_t its_samples = 0;
uint32_t ticks_since = 0;  // ticks since its last sample

_Unwind_Reason_Code on_frame(_Unwind_Context* context, void*) {
  const uintptr_t address = _Unwind_GetIP(context);
  walk.has_begun |= address == walk.interrupted_at;
  if (!walk.has_begun) return _URC_NO_REASON;
  const uintptr_t stack_pointer = _Unwind_GetCFA(context);
  if (stack_pointer >= the_outermost) return _URC_END_OF_STACK;
  if (walk.depth > 0 && walk.handler != nullptr) {  // a native frame came before
    const auto rest = std::span(walk.frames).subspan(walk.depth - 1);
    if (const size_t count = walk.handler->frames(walk.place, stack_pointer, rest))
      walk.depth += std::min(count, rest.size()) - 1;
    if (walk.depth == walk.frames.size()) return _URC_END_OF_STACK;
  }
  // Where the function begins: all its addresses are one frame of the profile.
  const uintptr_t function = _Unwind_GetRegionStart(context);
  walk.frames[walk.depth++] = function != 0 ? function : address;
  return walk.depth < walk.frames.size() ? _URC_NO_REASON : _URC_END_OF_STACK;
}

void walk_stack(uintptr_t instruction) {
  walk.interrupted_at = instruction;
  walk.has_begun = false;
  walk.depth = 0;
  walk.handler = Handler::running();
  walk.place = nullptr;
  CrashReports::try_call([] { _Unwind_Backtrace(on_frame, nullptr); });
  if (walk.depth == 0) walk.frames[walk.depth++] = instruction;
}

// Calls only async-signal-safe functions, the handler's frames(), and _Unwind_Backtrace(), which
// allocates nothing, and takes no lock unless code was registered at run time.
void on_tick(int, siginfo_t* info, void* context) {
  const int error = errno;
  if (const std::optional<ipc::Publication> job = the_job_at_work()) {
    if (*job != last_job) its_samples = ticks_since = 0;
    last_job = *job;
    ticks_since += 1 + static_cast<uint32_t>(std::max(info->si_overrun, 0));
    if (ticks_since >= 1u << std::min(its_samples / kSamplesUntilDoubled, kDoublingsMax)) {
      walk_stack(interrupted_at(context));
      ipc::append(*the_ring, *job, ticks_since, std::span(walk.frames).first(walk.depth));
      ++its_samples;
      ticks_since = 0;
    }
  }
  errno = error;
}

}  // namespace

Status start_sampling(ipc::SampleRing& ring, JobAtWork job_at_work, const void* outermost) {
  the_ring = &ring;
  the_job_at_work = job_at_work;
  the_outermost = reinterpret_cast<uintptr_t>(outermost);
  struct sigaction action {};
  action.sa_sigaction = on_tick;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  if (::sigaction(kSampleSignal, &action, nullptr) != 0) return fail_errno("sigaction", errno);
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = kSampleSignal;
  event._sigev_un._tid = ::gettid();
  timer_t timer{};
  if (::timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) != 0) {
    return fail_errno("timer_create", errno);
  }
  itimerspec period{};
  period.it_interval.tv_nsec = period.it_value.tv_nsec = ipc::kSamplePeriodNs;
  if (::timer_settime(timer, 0, &period, nullptr) != 0) return fail_errno("timer_settime", errno);
  return {};
}

}  // namespace ringmaster::worker
