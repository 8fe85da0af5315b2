// RetryBudget: keeps retries from doubling the load of an upstream that fails.
//
// Pure: no I/O, no time. Retries in flight are at most a fifth of the fetches in flight, or 3, as
// in Envoy. Where failures are quick, this alone would let every fetch be retried. So all retries
// are at most a fifth of all fetches, and 3 more.
// Source: https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/circuit_breaking
#pragma once

#include <algorithm>
#include <cstddef>

#include "upstream/spare_budget.h"

namespace ringmaster::upstream {

class RetryBudget {
 public:
  void on_fetch() { tokens_.on_fetch(); }
  // `in_flight`: fetches that have not ended, waiting ones included. Call on_end() after true.
  bool try_begin(size_t in_flight) {
    if (under_way_ >= std::max<size_t>(kFirst, in_flight / 5) || !tokens_.try_take()) return false;
    ++under_way_;
    return true;
  }
  void on_end() { --under_way_; }

 private:
  static constexpr size_t kFirst = 3;

  SpareBudget tokens_{0.2, kFirst};
  size_t under_way_ = 0;
};

}  // namespace ringmaster::upstream
