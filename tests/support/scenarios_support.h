// Loads on one server with two workers, in virtual time, for the scenarios of the scheduler.
#pragma once

#include <string>

#include "plan/scheduler_simulation.h"

namespace ringmaster::master {

using plan::exponential;
using plan::fixed;
using plan::Random;
using plan::Sample;
using plan::uniform;
using Simulation = plan::SchedulerSimulation;
using Policy = Simulation::Policy;
using Kind = ShareTable::Kind;
using Summary = Simulation::Summary;

inline bool is_any(const Simulation::Job&) {
  return true;
}

// Equal clients together offer `load` times the capacity, and one more client `hostile` times.
// `scatter`: costs differ by up to this part of `cost`.
inline Summary many_clients(size_t clients, double load, double hostile, double cost, double until,
                            Kind kind, double scatter = 0) {
  Simulation simulation(2, 1);
  const size_t burn = simulation.add_method({.name = "burn"});
  Simulation::Source source{.method = burn};
  source.cost = [=](Random& random) { return cost * (1 + scatter * (2 * uniform(random) - 1)); };
  source.until = until;
  source.rate = load * 2 / cost / static_cast<double>(clients);
  for (size_t i = 0; i < clients; ++i) {
    source.client = simulation.add_client("c" + std::to_string(i), 1, kind);
    simulation.add_open(source);
  }
  source.client = simulation.add_client("hostile");
  source.rate = hostile * 2 / cost;
  if (hostile > 0) simulation.add_open(source);
  simulation.run(until + 2);
  return simulation.summary([&](const auto& job) { return job.client != source.client; }, 5,
                            until - 2);
}

inline Summary poisson(Policy policy, double load, uint64_t seed, double until, double from,
                       double fetch = 0) {
  Simulation simulation(2, seed, policy);
  Simulation::Method method{.name = "burn"};
  if (fetch > 0) method.fetch = fixed(fetch);
  Simulation::Source source{.method = simulation.add_method(method), .cost = fixed(.03)};
  source.client = simulation.add_client("user");
  source.rate = load * 2 / .03;
  source.until = until;
  simulation.add_open(source);
  simulation.run(until + 3);
  return simulation.summary(is_any, from, until - 2);
}

inline double p99_at_80() {
  return poisson(Policy::kEarliestDeadline, .8, 1, 200, 2).p99;
}

}  // namespace ringmaster::master
