#include "ipc/doorbell.h"

#include <cerrno>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"

namespace ringmaster::ipc {

void WorkerBell::sleep(uint64_t timeout_ns) {
  const timespec timeout{static_cast<time_t>(timeout_ns / kNsPerS),
                         static_cast<long>(timeout_ns % kNsPerS)};
  // Not FUTEX_PRIVATE: the master maps this word at another address. After any return (rung, timed
  // out, interrupted, no longer asleep) the worker looks for work.
  ::syscall(SYS_futex, &word_, FUTEX_WAIT, static_cast<uint32_t>(WorkerState::kAsleep), &timeout,
            nullptr, 0);
  set(WorkerState::kAwake);
}

bool WorkerBell::try_wake() {
  auto asleep = static_cast<uint32_t>(WorkerState::kAsleep);
  if (!word_.compare_exchange_strong(asleep, static_cast<uint32_t>(WorkerState::kAwake),
                                     std::memory_order_seq_cst)) {
    return false;
  }
  ::syscall(SYS_futex, &word_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  return true;
}

void MasterBell::ring(int event_fd, bool is_urgent) {
  const auto sleep = static_cast<Sleep>(word_.load(std::memory_order_seq_cst));
  if (sleep == Sleep::kNone || (sleep == Sleep::kNapping && !is_urgent)) return;
  if (word_.exchange(0, std::memory_order_seq_cst) == 0) return;
  const uint64_t one = 1;
  // The only failure is EAGAIN: the counter is full, so the bell was rung. If another worker has
  // cleared O_NONBLOCK, the write waits for the master to read; the master is awake then.
  [[maybe_unused]] const ssize_t written = ::write(event_fd, &one, sizeof one);
}

bool MasterBell::try_take_rings(int event_fd) {
  uint64_t rings = 0;
  const iovec into{&rings, sizeof rings};
  return ::preadv2(event_fd, &into, 1, -1, RWF_NOWAIT) >= 0 || errno == EAGAIN;
}

}  // namespace ringmaster::ipc
