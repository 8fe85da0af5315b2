#include "master/lifecycle/watchdog.h"

#include <algorithm>
#include <utility>

#include "master/system/process_look.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kLookMs = 1000;

// The time for which each message extends a start. It is far more than kLookMs, so that the manager
// does not give up a load that waits for a slow disk or for a busy CPU.
constexpr uint64_t kStartMs = 30'000;

}  // namespace

Watchdog::Watchdog(uv_loop_t* loop, Notifier& notifier, Sources sources)
    : notifier_(notifier), sources_(std::move(sources)) {
  const uint64_t watchdog_ms = watchdog_interval_ms();
  if (watchdog_ms != 0) {
    const uint64_t half_ms = std::max<uint64_t>(watchdog_ms / 2, 1);
    watchdog_ = make_handle<uv_timer_t>(loop, this, uv_timer_init);
    uv_timer_start(
        watchdog_.get(),
        [](uv_timer_t* timer) { static_cast<Watchdog*>(timer->data)->notifier_.alive(); }, 0,
        half_ms);
  }
  if (!notifier_.is_needed()) return;
  look_ = make_handle<uv_timer_t>(loop, this, uv_timer_init);
  uv_timer_start(
      look_.get(), [](uv_timer_t* timer) { static_cast<Watchdog*>(timer->data)->look(); }, 0,
      kLookMs);
}

void Watchdog::look() {
  if (is_start_moving()) notifier_.extend(kStartMs);
  if (std::string status = sources_.status(); status != status_) {
    notifier_.status(status);
    status_ = std::move(status);
  }
}

bool Watchdog::is_start_moving() {
  StartProgress::Look look{sources_.is_starting(), sources_.is_reading()};
  if (const int pid = sources_.loading_pid(); pid != 0) look.load_cpu_ns = cpu_ns_of(pid);
  return progress_.has_moved(look);
}

}  // namespace ringmaster::master
