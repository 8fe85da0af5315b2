// The two large steps of the sandbox, for sandbox.cc only.
#pragma once

#include "base/status.h"

namespace ringmaster::worker {

// By Landlock: no other process's memory, no writing to any process's files in /proc, its own
// included, nor to kernel settings and control groups.
[[nodiscard]] Status restrict_files();

// By seccomp; takes no_new_privs.
[[nodiscard]] Status refuse_calls();

}  // namespace ringmaster::worker
