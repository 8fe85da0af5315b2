// What the commands have in common about a configuration.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/command_line.h"
#include "config/config.h"

namespace ringmaster::cli {

// One line for each problem. Returns the exit code that goes with them: 78.
int print_problems(std::FILE* where, const std::vector<config::Problem>& problems);

// Where the server is: --to, else of the addresses of -c the first without TLS, or the first, else
// 127.0.0.1:7070. Fails with 78, its problems printed, for a bad configuration, and with 64 where
// it does not say, has TLS and the command speaks none, or has none and the options are for it.
// `command` is for the message.
Result<std::string> find_server(const CommandLine& line, std::string_view command);

}  // namespace ringmaster::cli
