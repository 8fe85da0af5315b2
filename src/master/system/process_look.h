// ProcessLook: what the kernel says that a process is doing.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/types.h>

namespace ringmaster::master {

struct ProcessLook {
  char state = '?';     // as in /proc/PID/stat: R runs or could, S and D wait, T stopped, t traced
  uint64_t cpu_ns = 0;  // what it has used so far
};

// Empty: there is no such process, or it may not be looked at.
std::optional<ProcessLook> look_at_process(pid_t pid);

// The CPU time alone, for a third of the cost. 0: there is no such process.
uint64_t cpu_ns_of(pid_t pid);

}  // namespace ringmaster::master
