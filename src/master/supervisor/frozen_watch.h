// FrozenWatch: tells a frozen process from one that gets no CPU time.
//
// The watch looks at a process that should do something, and looks again later. The process is
// frozen if it has used no CPU time meanwhile and is not runnable (its state is not R: it was
// stopped, or it is blocked). It spins if it has used kSpinNs and still has not done its task. A
// runnable process that gets no CPU is neither. A process that wakes and sleeps again uses CPU
// time: Excuse says whether this time counts.
//
// Time is counted in ticks of the master's loop, at most one a turn. So the time in which the
// master was suspended or busy does not count.
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

  enum class Excuse : uint8_t {
    kCpuTime,  // a process that has used CPU time may still be doing its task
    kNone,     // a process that sleeps is frozen, however much CPU time it has used
  };

  using LookAt = std::function<std::optional<ProcessLook>()>;

  // Call it at each tick. `limit_ticks`: how long the process may do nothing; 0: it has no task, or
  // has done something since the last tick. Returns the look at a process that is frozen or spins;
  // else nothing.
  std::optional<ProcessLook> on_tick(uint32_t limit_ticks, const LookAt& look_at,
                                     Excuse excuse = Excuse::kCpuTime);

 private:
  uint32_t waited_ticks_ = 0;
  uint64_t first_cpu_ns_ = 0;
  uint64_t last_cpu_ns_ = 0;
};

}  // namespace ringmaster::master
