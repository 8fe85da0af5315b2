// serve(): the master process, from its options to its exit code.
#pragma once

#include "base/status.h"
#include "master/options.h"

namespace ringmaster::master {

// Serves until TERM or QUIT (finishes what was admitted) or INT (stops now). Logs why it ends when
// that was not asked for. Leaves no process behind.
// Signals besides: TTIN, TTOU: one worker more, one fewer · USR1: opens the log file again.
[[nodiscard]] ExitCode serve(Options options);

}  // namespace ringmaster::master
