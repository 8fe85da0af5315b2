// Load: which requests come, and how long their steps take. Fleet: the nodes that serve a load.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "plan/times.h"

namespace ringmaster::plan {

// A longer job is published only to a free worker. So no worker is free while its job, or the job's
// result, is on the way between the processes.
inline constexpr double kPublishedAheadS = 1e-9 * master::WorkerLoad::kAheadNs;
// The ways are taken to be shorter. A job of a batch waits for longer, for the other jobs.
inline constexpr double kWayMaxS = 1e-3;

struct MethodLoad {
  std::string name;
  double rate = 0;  // requests per second, of the whole fleet
  Times run;        // all run steps of a request together; also the ways, where they are known
  Times fetch;      // all fetch steps of a request together
};

struct Load {
  std::vector<MethodLoad> methods;
  size_t at_once = 1;    // requests that arrive together; their groups arrive at random (Poisson)
  double timeout_s = 1;  // of each request

  double rate() const {
    double sum = 0;
    for (const MethodLoad& method : methods)
      sum += method.rate;
    return sum;
  }
  // The workers that the load keeps busy, if no request is refused.
  double busy() const {
    double sum = 0;
    for (const MethodLoad& method : methods)
      sum += method.rate * method.run.mean_s;
    return sum;
  }
  // The fetches under way, by Little's law.
  double fetching() const {
    double sum = 0;
    for (const MethodLoad& method : methods)
      sum += method.rate * method.fetch.mean_s;
    return sum;
  }
};

// Equal nodes. A load balancer gives each of them an equal part of the requests, at random.
struct Fleet {
  size_t nodes = 1;
  size_t workers = 1;  // of each node

  size_t all_workers() const { return nodes * workers; }
};

}  // namespace ringmaster::plan
