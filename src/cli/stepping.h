// The options of `ringmaster dev` and `serve --inline`: a developer can step through a handler.
#pragma once

#include "config/options.h"

namespace ringmaster::cli {

// Overrides the configuration: one worker, without a sandbox and with the master's user; one
// attempt; the longest timeout that a method can have, for the start and for each request.
void allow_stepping(master::Options& options);

}  // namespace ringmaster::cli
