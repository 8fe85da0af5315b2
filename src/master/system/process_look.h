// ProcessLook: a process's state, its CPU time and its wait for a CPU, as the kernel reports them.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/types.h>

namespace ringmaster::master {

struct ProcessLook {
  char state = '?';     // as in /proc/PID/stat: R: runnable, S, D: waits, T: stopped, t: traced
  uint64_t cpu_ns = 0;  // used so far

  // By a signal or by a debugger: it runs no code until it is resumed.
  bool is_stopped() const { return state == 'T' || state == 't'; }
};

// Empty: there is no such process, or the kernel does not let us look.
std::optional<ProcessLook> look_at_process(pid_t pid);

// The CPU time alone, for a third of the cost. 0: there is no such process.
uint64_t cpu_ns_of(pid_t pid);

// How long its main thread has waited for a CPU so far, while it was runnable. A wait that still
// lasts is not counted. 0: there is no such process, or the kernel does not count waits.
uint64_t cpu_wait_ns_of(pid_t pid);

}  // namespace ringmaster::master
