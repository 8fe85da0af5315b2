// Formula: estimates by Allen-Cunneen with Erlang C (queueing.h).
//
// Each node is a queue of its own. Requests wait in their order of arrival, as they do where all
// have the same timeout. A request is refused if twice its wait does not fit into the timeout: that
// is the margin of master/scheduler/admission_control. A load that the workers cannot do has no
// steady state: of it only the least part that must be refused is known.
// Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/estimate.h"
#include "plan/load.h"

namespace ringmaster::plan {

class Formula {
 public:
  // `load` has at least one method with a rate above 0. The seed is of the numbers with which the
  // distribution of a request's own time is drawn.
  Formula(const Load& load, uint64_t seed);

  Estimate estimate(const Fleet& fleet) const;
  // Of a request's own time, without any wait: no fleet gets below it.
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
