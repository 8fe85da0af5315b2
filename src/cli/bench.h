// `ringmaster bench`: puts a load on a server and prints what came of it.
#pragma once

#include <string>

#include "base/status.h"
#include "bench/load.h"

namespace ringmaster::cli {

// Prints the report, for people or as JSON (times in seconds, latencies in microseconds), and on a
// terminal how far it is. Returns the exit code.
Result<int> bench(const bench::Options& options, bool is_json);

// The report as both see it.
std::string to_text(const bench::Options& options, const bench::Report& report);
std::string to_json(const bench::Options& options, const bench::Report& report);

}  // namespace ringmaster::cli
