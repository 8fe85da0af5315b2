// `ringmaster replay`: runs the step of a kept job in this process, for a person who looks for its
// fault.
#pragma once

#include <span>

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// Prints the result and returns 0, or the error and returns 1, as run_job() does. Fails with 64 for
// a file that is no kept job, or whose method the configuration does not have with the same steps,
// and with 78 for an invalid configuration or a handler that does not load. --gdb: see run_job().
Result<int> replay(const CommandLine& line, std::span<char* const> words);

}  // namespace ringmaster::cli
