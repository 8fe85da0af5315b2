#include "plan/simulate.h"

#include <algorithm>
#include <vector>

namespace ringmaster::plan {
namespace {

constexpr double kWarmUp = 0.1;

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

}  // namespace

Estimate simulate(const Load& load, const Fleet& fleet, uint64_t seed, uint64_t requests) {
  const double nodes = static_cast<double>(fleet.nodes);
  const double end = static_cast<double>(requests) * nodes / load.rate();
  SchedulerSimulation simulation(fleet.workers, seed);
  const size_t client = simulation.add_client("client");
  for (const MethodLoad& method : load.methods) {
    const Sample fetch = method.fetch.mean_s > 0 ? method.fetch.draw : nullptr;
    const size_t number =
        simulation.add_method({.name = method.name, .allowed = load.timeout_s, .fetch = fetch});
    simulation.warm(number, method.run.mean_s);
    simulation.add_open({.client = client,
                         .method = number,
                         .rate = method.rate / nodes / static_cast<double>(load.at_once),
                         .cost = method.run.draw,
                         .until = end,
                         .at_once = load.at_once});
  }
  simulation.run(end + load.timeout_s);
  double count = 0;
  double run_s = 0;
  std::vector<double> waited;
  std::vector<double> took;
  for (const SchedulerSimulation::Job& job : simulation.jobs()) {
    if (job.arrived < kWarmUp * end) continue;
    ++count;
    if (!job.is_in_time()) continue;
    run_s += job.cost;
    waited.push_back(job.begun - job.queued);
    took.push_back(job.finished - job.arrived);
  }
  const double workers_s = (1 - kWarmUp) * end * static_cast<double>(fleet.workers);
  const double served = static_cast<double>(took.size());
  Estimate found{run_s / workers_s, count > 0 ? 1 - served / count : 0, {}};
  if (!took.empty()) found.latency = latency_of(waited, took);
  return found;
}

}  // namespace ringmaster::plan
