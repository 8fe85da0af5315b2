// `ringmaster bench`: puts a load on a server and prints a report.
#pragma once

#include "base/status.h"
#include "bench/load.h"

namespace ringmaster::cli {

// Prints the report, for people or as JSON (times in seconds, latencies in microseconds), and on a
// terminal the progress of the load. Returns the exit code: 1 if no request had a result.
Result<int> bench(const bench::Options& options, bool is_json);

}  // namespace ringmaster::cli
