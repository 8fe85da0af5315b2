// reload_master(): asks a running master of this host for a reload.
#pragma once

#include "base/status.h"

namespace ringmaster::cli {

// Sends SIGHUP, but never to another process that got the pid since. Fails (71) when there is no
// such process, or when it is no ringmaster master: SIGHUP would end most other processes.
[[nodiscard]] Status reload_master(int pid);

}  // namespace ringmaster::cli
