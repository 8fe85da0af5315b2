// run_load(): sends load to a server and measures the answers.
//
// Latency counts from the intended start of a request. In an open loop this start is the scheduled
// arrival, even if the request is sent later. So the latencies of a stalled server include the
// delay of requests that could not be sent.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "base/status.h"
#include "bench/histogram.h"
#include "bench/options.h"

namespace ringmaster::bench {

// Counts requests with an intended start after the warm-up.
struct Report {
  uint64_t sent = 0;
  uint64_t results = 0;
  uint64_t in_time = 0;                // of the results, those within in_time_ms
  std::map<int32_t, uint64_t> errors;  // by code
  uint64_t lost = 0;                   // not answered within drain_s
  uint64_t unexpected = 0;             // answers to no request, and second answers
  Histogram latency;                   // of the results
  Histogram error_latency;
  double measured_s = 0;  // from the end of the warm-up to the last counted start or answer
  double own_cpu_s = 0;   // CPU time of this process, for all requests
  uint64_t all_sent = 0;  // with the requests of the warm-up
};

struct Progress {
  double elapsed_s;
  uint64_t sent;
  uint64_t answered;
};
using OnProgress = std::function<void(const Progress&)>;  // about once a second

// Fails when a connection cannot be made, or ends with a request unanswered.
[[nodiscard]] Result<Report> run_load(const Options& options, const OnProgress& on_progress);

}  // namespace ringmaster::bench
