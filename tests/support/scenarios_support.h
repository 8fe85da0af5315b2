// Loads on one server with two workers, in virtual time, for the scenarios of the scheduler.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

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

struct Summary {
  size_t count = 0;
  size_t served = 0;  // in time
  size_t late = 0;    // admitted, and late or expired
  size_t refused = 0;
  double cpu = 0;  // of the served jobs
  double p50 = 0;
  double p99 = 0;
  double served_part() const { return static_cast<double>(served) / static_cast<double>(count); }
};

// Of the jobs that arrived from `from` until `until`.
inline Summary summary(const Simulation& simulation,
                       const std::function<bool(const Simulation::Job&)>& selects, double from = 0,
                       double until = 1e18) {
  Summary made;
  std::vector<double> took;
  for (const Simulation::Job& job : simulation.jobs()) {
    if (job.arrived < from || job.arrived >= until || !selects(job)) continue;
    ++made.count;
    made.refused += job.refusal.has_value();
    const bool is_late = job.is_expired || (job.finished >= 0 && !job.is_in_time());
    made.late += is_late;
    if (!job.is_in_time()) continue;
    ++made.served;
    made.cpu += job.cost;
    took.push_back(job.finished - job.arrived);
  }
  if (took.empty()) return made;
  std::ranges::sort(took);
  made.p50 = took[took.size() / 2];
  made.p99 = took[std::min(took.size() - 1, took.size() * 99 / 100)];
  return made;
}

inline bool is_any(const Simulation::Job&) {
  return true;
}

// Equal clients together offer `load` times the capacity, and one more client `hostile` times.
// `scatter`: costs differ by up to this part of `cost`.
inline Summary many_clients(size_t clients, double load, double hostile, double cost, double until,
                            Kind kind, double scatter = 0) {
  Simulation simulation(2, 1);
  const size_t burn = simulation.add_method({});
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
  return summary(
      simulation, [&](const auto& job) { return job.client != source.client; }, 5, until - 2);
}

inline Summary poisson(Policy policy, double load, uint64_t seed, double until, double from,
                       double fetch = 0) {
  Simulation simulation(2, seed, policy);
  Simulation::Method method;
  if (fetch > 0) method.fetch = fixed(fetch);
  Simulation::Source source{.method = simulation.add_method(method), .cost = fixed(.03)};
  source.client = simulation.add_client("user");
  source.rate = load * 2 / .03;
  source.until = until;
  simulation.add_open(source);
  simulation.run(until + 3);
  return summary(simulation, is_any, from, until - 2);
}

inline double p99_at_80() {
  return poisson(Policy::kEarliestDeadline, .8, 1, 200, 2).p99;
}

}  // namespace ringmaster::master
