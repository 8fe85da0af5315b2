// Sandbox: takes from a worker what no handler needs: the network, other programs and processes,
// privileges. What is left is CPU, memory, files and threads.
//
// What is refused fails with EPERM rather than killing the worker: libraries probe for what they
// may use and go on without it, and a handler can report what it was refused. It is a list of what
// is refused, not of what is allowed: handlers bring libraries that we do not know.
//
// Processes: a worker, after it has opened all that it needs and before its first job; once, for
//            good: no process leaves its sandbox. The nursery stays outside.
// Limits:    what the handler's user may do with files, it still may. A Linux without seccomp is an
//            error; one without Landlock (before 5.19, or refused by a service manager's filter)
//            leaves it to the kernel's ptrace_scope whether a worker can open another one's memory.
#pragma once

#include "base/status.h"

namespace ringmaster::work {

[[nodiscard]] Status enter_sandbox();

// When memory runs out the kernel shall take a worker, which is replaced, not the master. Raising
// one's own score needs no privilege; a /proc that cannot be written leaves things as they are.
void volunteer_for_oom();

}  // namespace ringmaster::work
