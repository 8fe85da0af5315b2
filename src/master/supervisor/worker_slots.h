// WorkerSlots: which worker slots exist, what state each is in, and what should be done next.
//
// A pure state machine: no process, no clock, no I/O. The supervisor tells it what happened and
// when, and does what it asks for.
//
//   VACANT --take_due--> FORKING --on_forked--> STARTING --on_ready--> UP --> LEAVING
//      ^                    |                      |                   |         |
//      '-- on_fork_failed --'                      '---- on_exited ----'---------'
//
// LEAVING was told to go: by want(), which may come while it is STARTING, or by try_recycle().
//
// A worker that dies young (within kYoungNs of its fork, and without having finished a job) makes
// its slot wait before the next try: kBackOffNs, doubled each time, up to kBackOffMaxNs. Any other
// is replaced at once, and so is one that the master had ordered to be killed: that says nothing
// about the next one. kCrashLoopDeaths young deaths in a row are a crash loop.
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
  };

  // `wanted` of `slots` slots get a worker.
  WorkerSlots(size_t slots, size_t wanted);

  // The slots that should be forked now; they are kForking afterwards.
  std::vector<uint32_t> take_due(uint64_t now_ns);

  // True: it must be killed at once, see try_kill().
  [[nodiscard]] bool on_forked(uint32_t slot, int32_t pid, uint64_t now_ns);
  void on_fork_failed(uint32_t slot, uint64_t now_ns);
  // The slot again, if it is not wanted any more and should leave.
  std::optional<uint32_t> on_ready(uint32_t slot);
  void on_exited(uint32_t slot, uint64_t now_ns, bool has_worked);
  // Every process of the generation is gone; nobody is blamed.
  void on_all_gone();

  // Wants one worker more or fewer (at least one, at most all slots). The slot that should leave,
  // if one should: it is kLeaving afterwards.
  std::optional<uint32_t> want(size_t wanted);

  // Asks a worker that is up to make room for a fresh one. True: it should leave, and is kLeaving
  // afterwards. False while any other is not up: one at a time, so that the rest keeps serving.
  [[nodiscard]] bool try_recycle(uint32_t slot);

  // The worker in this slot must be killed. True: that should be ordered now. False: it was ordered
  // before, or there is no worker; or its pid is not known yet, then on_forked() will say so.
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
