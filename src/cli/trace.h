// `ringmaster trace`: writes a trace of a running server's requests, for Perfetto.
#pragma once

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// Returns 0 once the trace is written, to -o or to stdout. Fails with 71 when no server
// answers, or when the file cannot be written.
Result<int> trace(const CommandLine& line);

}  // namespace ringmaster::cli
