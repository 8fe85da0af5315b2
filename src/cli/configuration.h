// Functions for configurations that several commands use.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/command_line.h"
#include "config/config.h"

namespace ringmaster::cli {

// Prints one line for each problem. Returns the exit code: 78.
int print_problems(std::FILE* where, const std::vector<config::Problem>& problems);

// The options in the file of -c; without -c, the defaults. Prints the problems of an invalid file,
// and fails with 78. `command` is for the message.
Result<master::Options> load_of_server(const CommandLine& line, std::string_view command);

// The server's address: --to; else the first address without TLS in the file of -c; else, if all of
// them have TLS, the first. Without --to and -c: 127.0.0.1:7070. Fails as load_of_server(), and
// with 64 for port 0, for a TLS address if the command has no TLS, and for TLS options without a
// TLS address.
Result<std::string> find_server(const CommandLine& line, std::string_view command);

}  // namespace ringmaster::cli
