// ProcessLook: a process's state, its CPU time and its wait for a CPU, as the kernel reports them.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/types.h>

namespace ringmaster::master {

struct ProcessLook {
  char state = '?';     // as in /proc/PID/stat: R: runnable, S, D: waits, T: stopped, t: traced
  uint64_t cpu_ns = 0;  // used so far
};

// Empty: there is no such process, or the kernel does not let us look.
std::optional<ProcessLook> look_at_process(pid_t pid);

// The CPU time alone, for a third of the cost. 0: there is no such process.
uint64_t cpu_ns_of(pid_t pid);

// For how long its main thread has been runnable, without a CPU, before it last got one: a wait
// that still lasts is not counted. 0: there is no such process, or the kernel does not count that.
uint64_t cpu_wait_ns_of(pid_t pid);

}  // namespace ringmaster::master
