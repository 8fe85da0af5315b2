// CostModel: how long each method's steps take, and how long a typical job does.
//
// Averages of measured times, with their deviations. A step that was never measured counts as 0, so
// that it causes no refusal.
// Pure; the master only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/telemetry/moving_average.h"

namespace ringmaster::master {

class CostModel {
 public:
  enum class StepKind : uint8_t {
    kFetch,
    kFetchWithPrevious,  // begins together with the fetch before it
    kRun,
  };

  // The time that a method's steps need, from some step on.
  struct Need {
    double fetch_ns = 0;
    double run_ns = 0;
    double deviation_ns = 0;
    double success = 1;  // the probability that all fetches succeed
  };

  // Returns the method's number.
  uint32_t add_method(const std::vector<StepKind>& steps);
  // Gives a step that was never measured a first value.
  void seed(uint32_t method, size_t step, double took_ns);
  // Gives a method's steps that were never measured the times that `before` has measured for the
  // steps of its method `its`. Stops at the first step whose kind differs. The times count as
  // kAdoptedSamples at most: so the first runs, which are slow in new workers, change them little,
  // and a slower handler soon does.
  static constexpr size_t kAdoptedSamples = 8;
  void adopt(uint32_t method, const CostModel& before, uint32_t its);

  void on_run(uint32_t method, size_t step, double took_ns);
  // A job has run for `ran_ns`, and is not done.
  void on_still_running(uint32_t method, size_t step, double ran_ns) {
    if (ran_ns > run_ns(method, step)) on_run(method, step, ran_ns);
  }
  void on_fetched(uint32_t method, size_t step, double took_ns);
  void on_fetch_failed(uint32_t method, size_t step);

  Need need(uint32_t method, size_t step) const;
  bool is_known(uint32_t method, size_t step) const {
    return methods_[method][step].time_ns.is_known();
  }
  // Whether each run step was measured.
  bool knows_runs(uint32_t method) const;
  double run_ns(uint32_t method, size_t step) const {
    return methods_[method][step].time_ns.mean();
  }
  bool begins_with_fetch(uint32_t method) const {
    return methods_[method].front().kind == StepKind::kFetch;
  }
  // The mean time of a run step, weighted by that time: the time of a typical unit of work, not of
  // a typical request.
  double grain_ns() const { return times_ns_ > 0 ? squares_ / times_ns_ : 0; }

 private:
  // Scattered times get a longer window: with a short one the mean would go up and down, and
  // admission would refuse more requests.
  static constexpr uint64_t kWindow = 64;
  static constexpr uint64_t kScatteredWindow = 256;
  static constexpr double kGrainWeight = 1.0 / 256;

  struct StepCost {
    StepKind kind;
    telemetry::MovingAverage time_ns{kWindow, kScatteredWindow};
    telemetry::MovingAverage success{kWindow};
  };

  std::vector<std::vector<StepCost>> methods_;
  double times_ns_ = 0;  // moving averages of a run step's time and of its square
  double squares_ = 0;
};

}  // namespace ringmaster::master
