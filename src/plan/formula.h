// Formula: estimates by Allen-Cunneen with Erlang C (queueing.h).
//
// Each node is a queue of its own. Requests wait in their order of arrival, as they do where all
// have the same timeout. A request is refused if twice its wait does not fit into the timeout: the
// factor is the margin of master/scheduler/admission_control. A load that is more than the workers
// can do has no steady state: only the smallest part of it that must be refused is known.
// Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/estimate.h"
#include "plan/load.h"

namespace ringmaster::plan {

class Formula {
 public:
  // `load` has at least one method with a rate above 0. `seed`: of the random numbers that draw the
  // distribution of a request's own time.
  Formula(const Load& load, uint64_t seed);

  Estimate estimate(const Fleet& fleet) const;
  // The p99 of a request's own time, without any wait: no fleet is faster.
  double own_p99_s() const;

 private:
  double rate_;
  double busy_;
  double timeout_s_;
  double arrivals_scv_;
  double service_scv_ = 0;
  std::vector<double> own_s_;  // equally likely times, sorted
};

}  // namespace ringmaster::plan
