// FrozenWatch: tells a process that does nothing from one that gets no CPU to do it with.
//
// A process of which something is expected is looked at again after a while. It is frozen if it has
// used no CPU time meanwhile and nothing keeps it from running (its state is not R: it was stopped,
// or it is blocked). It spins if it has used kSpinNs and still has not done it. A runnable process
// that gets no CPU is neither: it is waited for. A process that wakes now and then and sleeps again
// uses CPU time: Patience says whether that counts.
//
// Time is counted in ticks of the master's loop, each in a turn of its own: a master that was
// suspended, or busy, has not waited for anybody meanwhile.
// Pure: the look at the process is an argument. Processes: the master only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/clock.h"
#include "master/system/process_look.h"

namespace ringmaster::master {

class FrozenWatch {
 public:
  static constexpr uint64_t kSpinNs = 5 * kNsPerS;

  enum class Patience : uint8_t {
    kIfItRuns,  // a process that has used CPU time may be on its way to what is expected of it
    kNone,      // it has had time enough: asleep, it is frozen, however much CPU time it has used
  };

  using LookAt = std::function<std::optional<ProcessLook>()>;

  // Each tick. `limit_ticks`: for how long the process may do nothing, although something is
  // expected of it; 0: nothing is, or it has done something since the last tick. Returns what a
  // process was found at that is frozen or spins; else nothing.
  std::optional<ProcessLook> on_tick(uint32_t limit_ticks, const LookAt& look_at,
                                     Patience patience = Patience::kIfItRuns);

 private:
  uint32_t waited_ticks_ = 0;
  uint64_t first_cpu_ns_ = 0;
  uint64_t last_cpu_ns_ = 0;
};

}  // namespace ringmaster::master
