#include "plan/formula.h"

#include <algorithm>
#include <cmath>

#include "plan/queueing.h"

namespace ringmaster::plan {
namespace {

constexpr size_t kDraws = 10'000;
constexpr int kHalvings = 40;
constexpr double kWaitMargin = 2;  // as in AdmissionControl

// `part` of all requests take at most the result. `own_s`: their times without the wait, sorted.
double whole_s(const std::vector<double>& own_s, const Wait& wait, double part) {
  const double longer_max = (1 - part) * static_cast<double>(own_s.size());
  double low = own_s.front();
  double high = own_s.back() + wait.percentile_s(part);
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    double longer = 0;
    for (const double own : own_s)
      longer += wait.longer_than(middle - own);
    (longer > longer_max ? low : high) = middle;
  }
  return high;
}

}  // namespace

Formula::Formula(const Load& load, uint64_t seed)
    : rate_(load.rate()),
      busy_(load.busy()),
      timeout_s_(load.timeout_s),
      arrivals_scv_(static_cast<double>(load.at_once)) {
  double squares = 0;
  for (const MethodLoad& method : load.methods) {
    const double mean = method.run.mean_s;
    squares += method.rate * mean * mean * (1 + method.run.cv * method.run.cv);
  }
  service_scv_ = std::max(0.0, squares * rate_ / (busy_ * busy_) - 1);
  Random random(seed);
  while (own_s_.size() < kDraws) {
    double chosen = uniform(random) * rate_;
    size_t i = 0;
    while (i + 1 < load.methods.size() && chosen >= load.methods[i].rate)
      chosen -= load.methods[i++].rate;
    own_s_.push_back(load.methods[i].fetch.draw(random) + load.methods[i].run.draw(random));
  }
  std::sort(own_s_.begin(), own_s_.end());
}

Estimate Formula::estimate(const Fleet& fleet) const {
  const double offered = busy_ / static_cast<double>(fleet.all_workers());
  if (offered >= 1) return {1, 1 - 1 / offered, std::nullopt};
  const double nodes = static_cast<double>(fleet.nodes);
  const Wait wait =
      allen_cunneen(fleet.workers, rate_ / nodes, busy_ / rate_, arrivals_scv_, service_scv_);
  double refused = 0;
  for (const double own : own_s_)
    refused += wait.longer_than(std::max(0.0, timeout_s_ - own) / kWaitMargin);
  return {offered, refused / kDraws,
          Estimate::Latency{wait.mean_s, wait.percentile_s(0.5), wait.percentile_s(0.99),
                            whole_s(own_s_, wait, 0.5), whole_s(own_s_, wait, 0.99)}};
}

double Formula::own_p99_s() const {
  return own_s_[own_s_.size() * 99 / 100];
}

}  // namespace ringmaster::plan
