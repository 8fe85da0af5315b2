// `ringmaster call`: one request from the shell; `ringmaster discover`: the same for rpc.discover.
#pragma once

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// Prints the result on stdout and returns 0, or prints the server's error on stderr and returns 1.
// The result of discover takes many lines, for people. Fails when there is no answer.
Result<int> call(const CommandLine& line);

}  // namespace ringmaster::cli
