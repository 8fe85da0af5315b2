// `ringmaster top`: what a running server does, again and again: rates, errors and times by method,
// workers, upstreams and clients.
#pragma once

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// In a terminal it draws the screen each second until a key q or a signal. Elsewhere it prints the
// same as lines, one blank line behind each sample. --count ends it after so many samples. The
// first sample has rates since the server's start. Fails (71) when the server does not answer the
// first time, or, without a terminal, at any time.
Result<int> top(const CommandLine& line);

}  // namespace ringmaster::cli
