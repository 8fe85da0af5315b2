// Sandbox: takes from a worker the network, other programs and processes, and privileges, which no
// handler needs. CPU, memory, files and threads remain.
//
// A refused call fails with EPERM (a file below /proc or /sys: EACCES) and does not kill the
// worker: libraries probe for features and go on without them, and a handler can report the error.
// The sandbox lists refused calls, not allowed ones, since handlers bring unknown libraries.
//
// Processes: a worker, after it has mapped the memories that all workers share and before its first
//            job; a spare worker, before it waits for its order. No process leaves its sandbox. The
//            fork server stays outside.
// Steps:     limits, capabilities, no_new_privs, landlock (Linux 5.19), seccomp. Each is checked.
// Limits:    files stay accessible as to the handler's user, with one exception: Landlock, and no
//            other step, refuses writes to files in /proc, kernel settings, control groups, and
//            files in / itself that are newer than the worker. A thread can pin, name or give a
//            priority to itself only, by the id 0, not by its number.
#pragma once

#include <string>

#include "base/status.h"
#include "ipc/confinement.h"

namespace ringmaster::worker {

// Compiles the filter of the step `seccomp` for this process and its children. In the fork server,
// before it forks: libseccomp takes a millisecond, and writes to a hundred pages of memory, which
// each worker would have to copy.
void prepare_sandbox();

// Returns the steps that this system refuses, each with why; empty: none. With Sandbox::kFull a
// refused step is an error, which names the step and the remedy.
[[nodiscard]] Result<std::string> enter_sandbox(ipc::Sandbox sandbox);

// For a worker with the master's user: lowers the worker's limit of processes and threads
// (RLIMIT_NPROC), so that some stay free for the master and the fork server: the kernel counts all
// threads of the user. The master's limit stays. A worker with another user takes none of the
// master's threads, and keeps its limit: other services of that user may have many threads.
[[nodiscard]] Status leave_threads_to_master();

// Part of the step `capabilities`, to do as root before the change of user. Without the privilege
// it does nothing, which is safe: the bounding set matters only at an exec, which is refused.
void empty_bounding_set();

// Makes the kernel kill a worker, which is replaced, rather than the master when memory runs out. A
// process needs no privilege to raise its own score. If /proc cannot be written the score stays.
void volunteer_for_oom();

}  // namespace ringmaster::worker
