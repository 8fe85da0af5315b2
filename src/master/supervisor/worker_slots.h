// WorkerSlots: which worker slots exist, the state of each, and what the supervisor should do next.
//
// A pure state machine: no process, no clock, no I/O. The supervisor tells it what happened and
// when, and does what it asks for.
//
//   VACANT --take_due--> FORKING --on_forked--> STARTING --on_ready--> UP --> LEAVING
//      ^                    |                      |                   |         |
//      '-- on_fork_failed --'                      '---- on_exited ----'---------'
//
// LEAVING: the worker was told to leave, by want() (also while it is STARTING) or by try_recycle().
//
// A worker that dies young (within kYoungNs of its fork, and without having finished a job) makes
// its slot wait before the next fork: kBackOffNs, doubled each time, up to kBackOffMaxNs. Any other
// worker is replaced at once, also one that the master has killed. kCrashLoopDeaths young deaths in
// a row are a crash loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace ringmaster::master {

class WorkerSlots {
 public:
  static constexpr uint64_t kYoungNs = 1'000'000'000;
  static constexpr uint64_t kBackOffNs = 50'000'000;
  static constexpr uint64_t kBackOffMaxNs = 5'000'000'000;
  static constexpr uint32_t kCrashLoopDeaths = 5;

  enum class State : uint8_t { kVacant, kForking, kStarting, kUp, kLeaving };

  struct Slot {
    State state = State::kVacant;
    int32_t pid = 0;
    uint64_t forked_ns = 0;
    uint64_t due_ns = 0;        // kVacant: not before this time
    uint32_t young_deaths = 0;  // in a row
    bool is_killed = false;     // by the master: see try_kill()

    // A worker that was killed may still come up before it dies: it is not up.
    bool is_up() const { return state == State::kUp && !is_killed; }
  };

  // `wanted` of `slots` slots get a worker.
  WorkerSlots(size_t slots, size_t wanted);

  // Takes the slots that should be forked now; they become kForking.
  std::vector<uint32_t> take_due(uint64_t now_ns);

  // True: the worker must be killed at once, see try_kill().
  [[nodiscard]] bool on_forked(uint32_t slot, int32_t pid, uint64_t now_ns);
  void on_fork_failed(uint32_t slot, uint64_t now_ns);
  // Returns the slot if its worker is not wanted any more and should leave.
  std::optional<uint32_t> on_ready(uint32_t slot);
  void on_exited(uint32_t slot, uint64_t now_ns, bool has_worked);
  // Every process of the generation is gone; no young death is counted.
  void on_all_gone();

  // Sets the number of workers (at least one, at most all slots). Returns the slot whose worker
  // should leave, if any: it becomes kLeaving.
  std::optional<uint32_t> want(size_t wanted);

  // Replaces a worker that is up. True: it should leave, and becomes kLeaving. False while another
  // worker is not up: workers are replaced one at a time, so that the rest keeps serving.
  [[nodiscard]] bool try_recycle(uint32_t slot);

  // The worker in this slot must be killed. True: send the order now. False: the order was sent
  // before, or there is no worker, or its pid is not known yet: then on_forked() will return true.
  [[nodiscard]] bool try_kill(uint32_t slot);

  const Slot& slot(uint32_t slot) const { return slots_[slot]; }
  size_t slot_count() const { return slots_.size(); }
  size_t wanted() const { return wanted_; }
  size_t up_count() const;
  bool is_complete() const { return up_count() >= wanted_; }
  // How many slots wait because their workers keep dying young.
  size_t crash_looping_count() const;

 private:
  std::optional<uint32_t> take_superfluous(uint32_t slot);
  void vacate(uint32_t slot, uint64_t now_ns, bool died_young);

  std::vector<Slot> slots_;
  size_t wanted_;
};

}  // namespace ringmaster::master
