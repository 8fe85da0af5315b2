// serve(): the master process, from its options to its exit code.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "base/status.h"
#include "config/options.h"

namespace ringmaster::master {

// The configuration as it is now, or all of its problems, each a line.
using LoadOptions = std::function<tl::expected<Options, std::vector<std::string>>()>;

// Serves until TERM or QUIT (finishes what was admitted) or INT (stops now). Logs why it ends when
// that was not asked for. Leaves no process behind.
// Signals besides: HUP: serves what `load_options` says then, once that is ready; on any failure it
// goes on as before · TTIN, TTOU: one worker more, one fewer · USR1: opens the log file again.
[[nodiscard]] ExitCode serve(Options options, LoadOptions load_options);

}  // namespace ringmaster::master
