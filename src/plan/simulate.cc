#include "plan/simulate.h"

#include <algorithm>
#include <vector>

namespace ringmaster::plan {
namespace {

constexpr double kWarmUp = 0.1;
// More requests are simulated in parts, since a simulation keeps each of them.
constexpr uint64_t kPartRequests = 100'000;

double percentile(std::vector<double>& values, size_t percent) {
  const size_t rank = std::min(values.size() - 1, values.size() * percent / 100);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(rank),
                   values.end());
  return values[rank];
}

Estimate::Latency latency_of(std::vector<double>& waited, std::vector<double>& took) {
  double sum = 0;
  for (const double wait : waited)
    sum += wait;
  return {sum / static_cast<double>(waited.size()), percentile(waited, 50), percentile(waited, 99),
          percentile(took, 50), percentile(took, 99)};
}

// The requests of all parts that are counted.
struct Counted {
  double count = 0;
  double run_s = 0;
  double workers_s = 0;  // of their time
  std::vector<double> waited;
  std::vector<double> took;
};

void simulate_part(const Load& load, const Fleet& fleet, uint64_t seed, uint64_t requests,
                   Counted& counted) {
  const double nodes = static_cast<double>(fleet.nodes);
  const double end = static_cast<double>(requests) * nodes / load.rate();
  SchedulerSimulation simulation(fleet.workers, seed);
  const size_t client = simulation.add_client("client");
  for (const MethodLoad& method : load.methods) {
    const Sample fetch = method.fetch.mean_s > 0 ? method.fetch.draw : nullptr;
    const size_t number = simulation.add_method({.allowed = load.timeout_s, .fetch = fetch});
    simulation.warm(number, method.run.mean_s);
    simulation.add_open({.client = client,
                         .method = number,
                         .rate = method.rate / nodes / static_cast<double>(load.at_once),
                         .cost = method.run.draw,
                         .until = end,
                         .at_once = load.at_once});
  }
  simulation.run(end + load.timeout_s);
  counted.workers_s += (1 - kWarmUp) * end * static_cast<double>(fleet.workers);
  for (const SchedulerSimulation::Job& job : simulation.jobs()) {
    if (job.arrived < kWarmUp * end) continue;
    ++counted.count;
    if (!job.is_in_time()) continue;
    counted.run_s += job.cost;
    counted.waited.push_back(job.begun - job.queued);
    counted.took.push_back(job.finished - job.arrived);
  }
}

}  // namespace

Estimate simulate(const Load& load, const Fleet& fleet, uint64_t seed, uint64_t requests) {
  const uint64_t parts = (requests + kPartRequests - 1) / kPartRequests;
  Counted counted;
  for (uint64_t part = 0; part < parts; ++part)
    simulate_part(load, fleet, seed * parts + part, requests / parts, counted);
  const double served = static_cast<double>(counted.took.size());
  Estimate found{
      counted.run_s / counted.workers_s, counted.count > 0 ? 1 - served / counted.count : 0, {}};
  if (!counted.took.empty()) found.latency = latency_of(counted.waited, counted.took);
  return found;
}

}  // namespace ringmaster::plan
