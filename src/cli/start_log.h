// start_log(): sets up the master's log by the command line and the service manager.
#pragma once

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

[[nodiscard]] Status start_log(const CommandLine& line);

}  // namespace ringmaster::cli
