// serve(): the master process, from its options to its exit code.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "base/status.h"
#include "config/options.h"

namespace ringmaster::master {

// Loads the configuration anew: the options, or all problems, each a line.
using LoadOptions = std::function<tl::expected<Options, std::vector<std::string>>()>;

// In development: whether a save of the file `name`, in the served file's folder, causes a reload.
using IsPart = std::function<bool(const std::string& name)>;

// Serves until TERM or QUIT (finishes admitted requests) or INT (stops now). If it ends otherwise,
// it logs the reason. Leaves no process behind. Signals besides: HUP: calls `load_options` and
// serves the result once it is ready; on any failure it goes on as before · TTIN, TTOU: one worker
// more, one fewer · USR1: opens the log file again. Another thread calls `load_options`.
// In development, serve() does not end if the handlers fail to load or there are no methods: it
// waits for a save of the file.
[[nodiscard]] ExitCode serve(Options options, LoadOptions load_options, IsPart is_part = {});

}  // namespace ringmaster::master
