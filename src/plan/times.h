// Times: how long a step takes, as a distribution to draw from. In seconds.
//
// Pure. The same seed draws the same numbers on each machine.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/scheduler_simulation.h"

namespace ringmaster::plan {

struct Times {
  double mean_s = 0;
  double cv = 0;  // coefficient of variation: standard deviation / mean
  Sample draw = fixed(0);
};

// `cv` 0: each step takes `mean_s`. Else a gamma distribution: 1 is the exponential one.
Times gamma_times(double mean_s, double cv);

// As a histogram has counted them: counts[i] of them took at most bounds[i], and the last count is
// of those that took longer. The times are scaled so that their mean is `mean_s`, since a
// histogram's sum is exact and its buckets are wide. A bucket's times are spread over as much of
// the bucket as its fuller neighbour has of its count: a bucket that stands alone is one time.
// Without any counts: each takes `mean_s`.
Times histogram_times(const std::vector<double>& bounds, const std::vector<uint64_t>& counts,
                      double mean_s);

// The same, `more_s` longer.
Times longer(const Times& times, double more_s);

}  // namespace ringmaster::plan
