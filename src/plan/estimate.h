// Estimate: how busy a load keeps a fleet, and how long its requests take.
#pragma once

#include <optional>

namespace ringmaster::plan {

struct Estimate {
  struct Latency {
    double wait_mean_s = 0;  // for a worker
    double wait_p50_s = 0;
    double wait_p99_s = 0;
    double p50_s = 0;  // of the whole, from the arrival to the result
    double p99_s = 0;
  };

  double utilisation = 0;          // of the workers
  double refused = 0;              // the part of the requests that gets no result
  std::optional<Latency> latency;  // of requests with a result. Empty: not known
};

}  // namespace ringmaster::plan
