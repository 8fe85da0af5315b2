// `ringmaster call`: one request from the shell; `ringmaster discover`: the same for rpc.discover.
#pragma once

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// Prints the result on stdout (that of discover over many lines, for people) and returns 0, or the
// server's error on stderr and returns 1. Fails when there is no answer.
Result<int> call(const CommandLine& line);

}  // namespace ringmaster::cli
