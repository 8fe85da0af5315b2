// dev(): `ringmaster dev FILE.py`: serves the public functions of a Python file, for development.
//
// The handlers' package ringmaster (_dev.py) makes a configuration of the file, which is served as
// by `ringmaster serve`, but with settings for one developer at a terminal: one worker without a
// sandbox, on the terminal's stdin and stderr, and time for a debugger. Each save of the file
// causes a reload. While the file cannot be served, the command waits for the next save.
#pragma once

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// Returns the exit code of the server. Fails with 78 for a file that is not there.
[[nodiscard]] Result<int> dev(const CommandLine& line);

}  // namespace ringmaster::cli
