// `ringmaster top`: what a running server does, again and again: rates, errors and times by method,
// workers, upstreams and clients.
#pragma once

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// In a terminal: draws the screen each second until the user presses q or a signal arrives.
// Elsewhere: prints the same lines, and a blank line behind each sample. --count N ends both after
// N samples. The first sample has rates since the server's start. Fails (71) when the server
// does not answer the first time, or, without a terminal, at any time.
Result<int> top(const CommandLine& line);

}  // namespace ringmaster::cli
