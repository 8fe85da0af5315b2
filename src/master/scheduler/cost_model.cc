#include "master/scheduler/cost_model.h"

#include <algorithm>

namespace ringmaster::master {

uint32_t CostModel::add_method(const std::vector<StepKind>& steps) {
  std::vector<StepCost> costs;
  for (const StepKind kind : steps)
    costs.push_back({kind});
  methods_.push_back(std::move(costs));
  return static_cast<uint32_t>(methods_.size() - 1);
}

void CostModel::seed(uint32_t method, size_t step, double took_ns) {
  StepCost& cost = methods_[method][step];
  if (!cost.time_ns.is_known()) cost.time_ns.add(took_ns);
}

bool CostModel::knows_runs(uint32_t method) const {
  const std::vector<StepCost>& steps = methods_[method];
  return std::all_of(steps.begin(), steps.end(), [](const StepCost& cost) {
    return cost.kind != StepKind::kRun || cost.time_ns.is_known();
  });
}

void CostModel::adopt(uint32_t method, const CostModel& before, uint32_t its) {
  const std::vector<StepCost>& measured = before.methods_[its];
  const size_t steps = std::min(methods_[method].size(), measured.size());
  for (size_t step = 0; step < steps; ++step) {
    if (measured[step].kind != methods_[method][step].kind) return;
    telemetry::MovingAverage& time_ns = methods_[method][step].time_ns;
    if (time_ns.is_known()) continue;
    time_ns = measured[step].time_ns;
    time_ns.count_at_most(kAdoptedSamples);
  }
}

void CostModel::on_run(uint32_t method, size_t step, double took_ns) {
  methods_[method][step].time_ns.add(took_ns);
  times_ns_ += kGrainWeight * (took_ns - times_ns_);
  squares_ += kGrainWeight * (took_ns * took_ns - squares_);
}

void CostModel::on_fetched(uint32_t method, size_t step, double took_ns) {
  methods_[method][step].time_ns.add(took_ns);
  methods_[method][step].success.add(1);
}

void CostModel::on_fetch_failed(uint32_t method, size_t step) {
  methods_[method][step].success.add(0);
}

const telemetry::MovingAverage& CostModel::time_of(uint32_t method, size_t step,
                                                   const ClientTimes* client) const {
  const StepCost& cost = methods_[method][step];
  if (client == nullptr || cost.kind != StepKind::kRun) return cost.time_ns;
  const telemetry::MovingAverage* const own = client->find(method, step);
  return own == nullptr || own->mean() <= cost.time_ns.mean() ? cost.time_ns : *own;
}

void CostModel::on_fetch_cut_off(uint32_t method, size_t step, double took_ns) {
  const telemetry::MovingAverage& time_ns = methods_[method][step].time_ns;
  const double usual_ns = time_ns.mean() + 2 * time_ns.deviation();
  if (took_ns > std::max(usual_ns, kBriefNs)) on_fetch_failed(method, step);
}

CostModel::Need CostModel::need(uint32_t method, size_t step, const ClientTimes* client) const {
  Need need;
  const std::vector<StepCost>& steps = methods_[method];
  double longest_ns = 0;  // of the fetches that begin together
  for (; step < steps.size(); ++step) {
    const StepCost& cost = steps[step];
    const telemetry::MovingAverage& time_ns = time_of(method, step, client);
    const double mean_ns = time_ns.mean();
    if (cost.kind == StepKind::kRun) {
      need.run_ns += mean_ns;
    } else {
      if (cost.kind == StepKind::kFetch) longest_ns = 0;
      need.fetch_ns += std::max(mean_ns - longest_ns, 0.0);
      longest_ns = std::max(mean_ns, longest_ns);
    }
    need.deviation_ns += time_ns.deviation();
    if (cost.success.is_known()) need.success *= cost.success.mean();
  }
  return need;
}

}  // namespace ringmaster::master
