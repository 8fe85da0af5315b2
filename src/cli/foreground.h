// The common part of `ringmaster run` and `replay`: runs one job of a handler in this process.
#pragma once

#include <span>
#include <string>

#include "base/status.h"
#include "ipc/handler_spec.h"
#include "worker/foreground.h"

namespace ringmaster::cli {

// Replaces this process by gdb, which gets the same command, `words`, without --gdb. Returns only
// if gdb cannot be started. `command`: the command's name, for messages.
tl::unexpected<Error> exec_gdb(const std::string& command, std::span<char* const> words);

// Runs the job, and prints the result or the error as call() does. Then ends this process with 0,
// or 1 for an error. Returns only if the job cannot run: with 78 for a handler that does not load.
Result<int> run_and_print(const std::string& command, const ipc::HandlerSpec& handler,
                          const worker::ForegroundJob& job, uint64_t response_bytes);

}  // namespace ringmaster::cli
