// run_program(): runs another program to its end.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace ringmaster::cli {

// Returns the program's output on stdout; the program writes to this process's stderr. Fails (71)
// if it cannot be started, or ends otherwise than with the exit code 0. Callable in any thread.
// arguments[0]: the path of the program.
[[nodiscard]] Result<std::string> run_program(std::vector<std::string> arguments);

}  // namespace ringmaster::cli
