// The options of `ringmaster dev` and `serve --inline`: a developer can step through a handler.
#pragma once

#include "config/options.h"

namespace ringmaster::cli {

// Whatever the configuration says, sets one worker, without a sandbox and with the master's user,
// one attempt, and the longest time that a method can have, for the start and for each request.
void allow_stepping(master::Options& options);

}  // namespace ringmaster::cli
