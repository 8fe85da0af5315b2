// Checks of a command line that CLI11 does not make, with errors in this project's form.
#pragma once

#include <string>

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// An error of the command line (64): the message, and the hint to `ringmaster help SUBCOMMAND`.
tl::unexpected<Error> usage(std::string message);

// Reads the token and the params that `line` names, and checks that the options fit together.
// `command`: the command's name, for messages.
[[nodiscard]] Status apply_rules(CommandLine& line, const std::string& command);

}  // namespace ringmaster::cli
