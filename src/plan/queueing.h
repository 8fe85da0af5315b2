// Queueing: how long requests wait for one of several workers.
//
// Erlang C: A. K. Erlang, 1917, for Poisson arrivals and exponential service. Allen-Cunneen: A. O.
// Allen, "Probability, Statistics, and Queueing Theory", 1978: for other distributions, the mean
// wait is that of Erlang C, multiplied by (Ca^2 + Cs^2) / 2. Ca and Cs are the coefficients of
// variation of the intervals between arrivals and of the service.
// Pure. Times in seconds, rates per second.
#pragma once

#include <cstddef>

namespace ringmaster::plan {

// Erlang C: the probability that a request finds all `workers` busy. `busy`: the workers that the
// load keeps busy, less than `workers`.
double erlang_c(size_t workers, double busy);

// The wait for a worker, with an exponential tail: exact for exponential service.
struct Wait {
  double probability = 0;  // of any wait at all
  double mean_s = 0;       // of all requests

  // The part of the requests that wait longer than `wait_s`.
  double longer_than(double wait_s) const;
  // `part` of the requests wait at most as long as the result.
  double percentile_s(double part) const;
};

// `arrivals_scv`, `service_scv`: squared coefficients of variation. rate * service_s must be less
// than `workers`.
Wait allen_cunneen(size_t workers, double rate, double service_s, double arrivals_scv,
                   double service_scv);

}  // namespace ringmaster::plan
