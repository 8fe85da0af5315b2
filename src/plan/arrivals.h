// Arrivals: how many requests arrive together, by the times at which they arrived.
//
// Pure. Source: the index of dispersion of counts: D. R. Cox, P. A. W. Lewis, "The Statistical
// Analysis of Series of Events", 1966.
#pragma once

#include <cstddef>
#include <vector>

namespace ringmaster::plan {

// The size of groups that arrive at random (Poisson), so that the counts of requests in slices of
// time vary as they did: 1 if the requests arrived one by one at random, or more regularly. A rate
// that rises and falls counts as groups, too. 1 for fewer than 200 arrivals: they say too little.
// `arrivals_s`: times from `from_s` to `to_s`, in any order.
size_t arrivals_at_once(const std::vector<double>& arrivals_s, double from_s, double to_s);

}  // namespace ringmaster::plan
