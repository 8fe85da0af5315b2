// Sandbox: takes from a worker what no handler needs: the network, other programs and processes,
// privileges. What is left is CPU, memory, files and threads.
//
// What is refused fails with EPERM (a file below /proc or /sys: EACCES) rather than killing the
// worker: libraries probe for what they may use and go on without it, and a handler can report what
// it was refused. It is a list of what is refused, not of what is allowed: handlers bring libraries
// that we do not know.
//
// Processes: a worker, after it has opened all that it needs and before its first job; once, for
//            good: no process leaves its sandbox. The fork server stays outside.
// Steps:     limits, capabilities, no_new_privs, landlock (Linux 5.19), seccomp. Each is checked.
// Limits:    what the handler's user may do with files, it still may, but for writing to files in
//            /proc, kernel settings and control groups: these only Landlock keeps from a worker.
//            Files that lie in / itself and are newer than the worker cannot be written. A thread
//            can be pinned, given a priority or named by itself only (the id 0), not by its number.
#pragma once

#include <string>

#include "base/status.h"
#include "ipc/confinement.h"

namespace ringmaster::worker {

// Returns the steps that this system refuses, each with why; empty: none. With Sandbox::kFull a
// refused step is an error, which names it and the way out.
[[nodiscard]] Result<std::string> enter_sandbox(ipc::Sandbox sandbox);

// For a worker whose user is the master's: lowers its own limit of processes and threads
// (RLIMIT_NPROC), which the kernel compares with all that this user has, so that some are left for
// the master and the fork server. The master's limit stays. A worker of another user takes none of
// the master's, and keeps its limit: other services of that user may have many.
[[nodiscard]] Status leave_threads_to_master();

// Part of the step `capabilities` that root must take before it becomes another user. Without the
// privilege to do it there is nothing to empty: a process without exec gains nothing by the set.
void empty_bounding_set();

// When memory runs out the kernel shall take a worker, which is replaced, not the master. Raising
// one's own score needs no privilege; a /proc that cannot be written leaves things as they are.
void volunteer_for_oom();

}  // namespace ringmaster::worker
