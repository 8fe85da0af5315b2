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

// Serves until a signal ends it: TERM and QUIT let the admitted requests finish, INT stops now. If
// it ends otherwise, it logs the reason. It leaves no process behind. Other signals: HUP: another
// thread calls `load_options`, and the result serves once it is ready; on any failure the server
// goes on as before · TTIN, TTOU: one worker more, one fewer · USR1: opens the log file again.
// In development, serve() does not end if the handlers fail to load or there are no methods: it
// waits for a save of the file.
[[nodiscard]] ExitCode serve(Options options, LoadOptions load_options, IsPart is_part = {});

}  // namespace ringmaster::master
