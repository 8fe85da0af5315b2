#include "plan/sizing.h"

#include <cmath>

namespace ringmaster::plan {
namespace {

// The smallest number for which is_enough() is true. REQUIRES: it is true for all larger ones, too.
template <class IsEnough>
size_t smallest(IsEnough is_enough) {
  size_t high = 1;
  while (!is_enough(high))
    high *= 2;
  size_t low = high / 2;  // not enough, or 0
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    (is_enough(middle) ? high : low) = middle;
  }
  return high;
}

double at_most(double mean) {
  return std::ceil(mean + 3 * std::sqrt(mean));
}

}  // namespace

size_t workers_needed(const Formula& formula, const Promise& promise) {
  return smallest([&](size_t workers) { return promise.is_kept(formula.estimate({1, workers})); });
}

size_t nodes_needed(const Formula& formula, const Promise& promise, size_t workers) {
  return smallest([&](size_t nodes) {
    return promise.is_kept(formula.estimate({nodes, workers}));
  });
}

NodeNeeds needs_of(const Load& load, const Fleet& fleet, const Estimate& estimate,
                   uint64_t payload_bytes) {
  // Refused requests are not in flight.
  const double served = (1 - estimate.refused) / static_cast<double>(fleet.nodes);
  // An unknown wait is at most half the timeout: requests that wait longer are refused (formula.h).
  const double wait_s = estimate.latency ? estimate.latency->wait_mean_s : load.timeout_s / 2;
  const double waiting_or_running = load.busy() + load.rate() * wait_s;
  const double in_flight = at_most(served * (load.fetching() + waiting_or_running));
  return {in_flight, at_most(served * load.fetching()),
          in_flight * static_cast<double>(payload_bytes)};
}

}  // namespace ringmaster::plan
