// run_load(): puts a load on a server and measures what comes of it.
//
// Latency counts from the intended start of a request: in an open loop that is its arrival, whether
// or not it could be sent then, so that a server which stalls does not hide the requests that it
// kept from being sent.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "base/status.h"
#include "base/telemetry/histogram.h"
#include "bench/options.h"

namespace ringmaster::bench {

// Of the requests that were meant to start after the warm-up.
struct Report {
  uint64_t sent = 0;
  uint64_t results = 0;
  uint64_t in_time = 0;                // of the results, those within in_time_ms
  std::map<int32_t, uint64_t> errors;  // by code
  uint64_t lost = 0;                   // not answered within drain_s
  uint64_t unexpected = 0;             // answers to nothing that was asked, or second ones
  Histogram latency;                   // of the results
  Histogram error_latency;
  double measured_s = 0;  // from the end of the warm-up to the last start or answer that counts
  double own_cpu_s = 0;   // what the load itself has cost, for all requests
  uint64_t all_sent = 0;  // with the warm-up's
};

struct Progress {
  double elapsed_s;
  uint64_t sent;
  uint64_t answered;
};
using OnProgress = std::function<void(const Progress&)>;  // about once a second

// Fails when a connection cannot be made, or ends while it owes an answer.
[[nodiscard]] Result<Report> run_load(const Options& options, const OnProgress& on_progress);

}  // namespace ringmaster::bench
