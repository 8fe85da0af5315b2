// `ringmaster reload`: asks a running server to reload, by SIGHUP to its master.
#pragma once

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// Returns 0 once the signal is sent; with --wait, once the reload has succeeded, and prints the new
// generation. Fails with 78 and the server's reason when the server refused the reload. Fails with
// 71 when there is no such server, or when the server does not answer.
Result<int> reload(const CommandLine& line);

}  // namespace ringmaster::cli
