// `ringmaster replay`: runs the step of a kept job in this process, to find the fault of the step.
#pragma once

#include <span>

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// Prints the result and returns 0, or the error and returns 1, as run_job() does. Fails with 64 if
// the file is no kept job, or if the configuration lacks its method or has other steps for it.
// Fails with 78 if the configuration is invalid or a handler does not load. --gdb: see run_job().
Result<int> replay(const CommandLine& line, std::span<char* const> words);

}  // namespace ringmaster::cli
