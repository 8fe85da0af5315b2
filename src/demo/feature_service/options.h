// Options: the command line of the feature service, checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "demo/feature_service/faults.h"

namespace ringmaster::feature_service {

struct Options {
  std::string address = "127.0.0.1:7080";  // to listen at
  std::string sessions;                    // a file, or empty
  std::optional<uint64_t> events;
  uint64_t drip_ms = 100;
  FateOptions fates;
};

// The options to serve with; or the text of --help or --version, to print before the exit.
struct CommandLine {
  Options options;
  std::string text;
};

// Fails (64) on anything unknown or out of range, with the nearest known name.
Result<CommandLine> parse_options(int argc, char** argv);

}  // namespace ringmaster::feature_service
