// dev(): `ringmaster dev FILE.py`: serves the public functions of a Python file, for development.
//
// _dev.py, of the Python package ringmaster, makes a configuration of the file. The command serves
// this configuration as `ringmaster serve` does, but with settings for one developer at a terminal:
// one worker without a sandbox, on the terminal's stdin and stderr, and time for a debugger. Each
// save of the file causes a reload. If the file has a fault, the command waits for the next save.
#pragma once

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// Returns the exit code of the server. Fails with 78 for a file that is not there.
[[nodiscard]] Result<int> dev(const CommandLine& line);

}  // namespace ringmaster::cli
