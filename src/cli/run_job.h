// `ringmaster run`: one job of one handler in this process, for unit tests, gdb and perf.
#pragma once

#include <span>

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// Prints the result and returns 0, or the error and returns 1, as call() does. Fails with 78 for an
// invalid configuration or a handler that does not load, and with 64 for a handler that the
// configuration does not have, or an input that the handler never gets. With --gdb: replaces this
// process by gdb, which is given the same command, `words`.
Result<int> run_job(const CommandLine& line, std::span<char* const> words);

}  // namespace ringmaster::cli
