// Sizing: how many workers, or nodes, keep a promise; and how much memory and how many connections
// a load needs on each node.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "plan/formula.h"

namespace ringmaster::plan {

struct Promise {
  // Above this, a load of a tenth more than planned finds all workers busy, and waits grow without
  // a bound.
  static constexpr double kUtilisationMax = 0.9;

  double p99_s = 0;

  bool is_kept(const Estimate& estimate) const {
    return estimate.latency && estimate.utilisation <= kUtilisationMax &&
           estimate.latency->p99_s <= p99_s;
  }
};

// The fewest workers in one node, or the fewest nodes of so many workers, that keep the promise.
// REQUIRES: promise.p99_s > formula.own_p99_s().
size_t workers_needed(const Formula& formula, const Promise& promise);
size_t nodes_needed(const Formula& formula, const Promise& promise, size_t workers);

// The needs of one node. Each number that varies at random is the mean plus three standard
// deviations (Poisson).
struct NodeNeeds {
  double in_flight = 0;             // requests, by Little's law
  double upstream_connections = 0;  // fetches under way, by Little's law
  double payload_bytes = 0;         // of the requests in flight
};

// `payload_bytes`: of one request: its params and bodies together.
NodeNeeds needs_of(const Load& load, const Fleet& fleet, const Estimate& estimate,
                   uint64_t payload_bytes);

}  // namespace ringmaster::plan
