// The command line: what was asked for, or the error that names what is unknown and the nearest
// known.
//
// Only command_line.cc knows the library that parses it, and catches what that throws.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace ringmaster::cli {

enum class Command {
  kShowText,  // --help, --version: print `text`
  kServe,
  kCheck,
  kCall,
};

struct CommandLine {
  Command command = Command::kShowText;
  std::string text;

  std::string config;                 // serve and check have it; call may
  bool dump = false;                  // check
  std::string log_format = "logfmt";  // serve: logfmt or json
  std::string log_file;               // serve; empty: stderr
  std::string to;                // call; empty: the configuration's first address, or the default
  std::string method;            // call
  std::string params;            // call: a JSON object or array; empty: none
  uint64_t timeout_ms = 30'000;  // call
};

Result<CommandLine> parse_command_line(int argc, char** argv);

}  // namespace ringmaster::cli
