// The two large steps of the sandbox, for sandbox.cc only.
#pragma once

#include "base/status.h"

namespace ringmaster::worker {

// By Landlock: no access to other processes' memory, no writing to /proc (its own files included),
// kernel settings and control groups.
[[nodiscard]] Status restrict_files();

// By seccomp; needs no_new_privs.
[[nodiscard]] Status refuse_calls();

}  // namespace ringmaster::worker
