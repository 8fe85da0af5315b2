#include "plan/queueing.h"

#include <cmath>

namespace ringmaster::plan {

double erlang_c(size_t workers, double busy) {
  double blocked = 1;  // Erlang B, by its recursion over the number of workers
  for (size_t i = 1; i <= workers; ++i)
    blocked = busy * blocked / (static_cast<double>(i) + busy * blocked);
  const double utilisation = busy / static_cast<double>(workers);
  return blocked / (1 - utilisation * (1 - blocked));
}

double Wait::longer_than(double wait_s) const {
  if (wait_s < 0) return 1;
  return mean_s > 0 ? probability * std::exp(-wait_s * probability / mean_s) : 0;
}

double Wait::percentile_s(double part) const {
  return probability <= 1 - part ? 0 : mean_s / probability * std::log(probability / (1 - part));
}

Wait allen_cunneen(size_t workers, double rate, double service_s, double arrivals_scv,
                   double service_scv) {
  const double probability = erlang_c(workers, rate * service_s);
  const double of_erlang = probability / (static_cast<double>(workers) / service_s - rate);
  return {probability, of_erlang * (arrivals_scv + service_scv) / 2};
}

}  // namespace ringmaster::plan
