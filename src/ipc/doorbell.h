// Doorbells: how one process wakes another. They are hints: the woken process looks for work
// itself, and looks again on a slow tick, so a lost ring costs milliseconds, never a job.
//
// Dekker's rule: the sleeper first announces its sleep and then looks for work once more; the
// ringer first publishes and then reads the bell. At least one of them sees the other's store,
// because these operations, and those on the ring and the result rings, are sequentially
// consistent.
//
// Processes: WorkerBell: its worker sleeps, the master rings. MasterBell: the master sleeps, any
//            worker rings.
// Death:     a ringer killed before it rings leaves a sleeper for one tick at most.
// Memory:    in the control region. Layout: change a field => bump kLayoutVersion.
#pragma once

#include <atomic>
#include <cstdint>

namespace ringmaster::ipc {

enum class WorkerState : uint32_t {
  kAbsent = 0,  // not forked yet, or not ready for its first job
  kAwake = 1,
  kAsleep = 2,
};

class WorkerBell {
 public:
  // Worker: from kAwake to kAsleep and back. After announce_sleep() look for work, then call
  // cancel_sleep() or sleep(), which returns when rung or after `timeout_ns`.
  void announce_sleep() { set(WorkerState::kAsleep); }
  void cancel_sleep() { set(WorkerState::kAwake); }
  void sleep(uint64_t timeout_ns);

  // Master: true if this call has woken the worker.
  bool try_wake();

  WorkerState was_state() const {
    return static_cast<WorkerState>(word_.load(std::memory_order_seq_cst));
  }
  // False: the word holds a value that neither side writes.
  bool was_sane() const { return was_state() <= WorkerState::kAsleep; }
  // Master, while the slot has no process.
  void reset() { set(WorkerState::kAbsent); }

 private:
  void set(WorkerState state) {
    word_.store(static_cast<uint32_t>(state), std::memory_order_seq_cst);
  }

  std::atomic<uint32_t> word_{0};  // also the futex
};

class MasterBell {
 public:
  // What wakes the master.
  enum class Sleep : uint32_t {
    kNone = 0,      // it is awake
    kSleeping = 1,  // any ring
    kNapping = 2,   // an urgent ring; and the master wakes by itself soon
  };
  // Master: calls these before and after it blocks in its event loop.
  void announce_sleep(Sleep sleep) { set(sleep); }
  void cancel_sleep() { set(Sleep::kNone); }

  // Worker: writes to `event_fd` if the master has announced a sleep that such a ring ends, and no
  // worker has rung since.
  void ring(int event_fd, bool is_urgent);

  // Master: resets `event_fd`. Never waits, though the workers share this eventfd's open file
  // description: they can clear its O_NONBLOCK, and read it between the master's poll and its read.
  // False, with errno: the kernel has no non-blocking read of an eventfd (before Linux 5.8).
  [[nodiscard]] static bool try_take_rings(int event_fd);

 private:
  void set(Sleep sleep) { word_.store(static_cast<uint32_t>(sleep), std::memory_order_seq_cst); }

  std::atomic<uint32_t> word_{0};
};

static_assert(sizeof(WorkerBell) == 4 && sizeof(MasterBell) == 4);
static_assert(std::atomic<uint32_t>::is_always_lock_free);

}  // namespace ringmaster::ipc
