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

// `cv` 0: each step takes `mean_s`. Else a gamma distribution; `cv` 1: the exponential one.
Times gamma_times(double mean_s, double cv);

// The times in a histogram: counts[i] of them are at most bounds[i] and above the bound before; the
// last count is of all longer times. The times are scaled so that their mean is `mean_s`: a
// histogram's sum is exact, but its buckets are wide. The times of a bucket are spread evenly
// around its middle, over a part of its width. This part is the count of its fuller neighbour
// divided by its own count, at most 1. So all times of a bucket without neighbours are equal.
// Without any counts: each step takes `mean_s`.
Times histogram_times(const std::vector<double>& bounds, const std::vector<uint64_t>& counts,
                      double mean_s);

// The same times, each `more_s` longer.
Times longer(const Times& times, double more_s);

}  // namespace ringmaster::plan
