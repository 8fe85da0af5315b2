// The options of `ringmaster dev` and `serve --inline`: a developer can step through a handler.
#pragma once

#include "config/options.h"

namespace ringmaster::cli {

// One worker, without a sandbox and with the master's user; one attempt; as much time for a start
// and for each request as a method can have, whatever the configuration says.
void allow_stepping(master::Options& options);

}  // namespace ringmaster::cli
