// CostModel: how long each method's steps take, and how long a typical job does.
//
// Averages of measured times, with their deviations. A client's run step may take longer than the
// mean of all clients': see client_times.h. A step that was never measured counts as 0, so that it
// causes no refusal.
// Pure; the master only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/telemetry/moving_average.h"
#include "master/scheduler/client_times.h"

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
  void on_fetched(uint32_t method, size_t step, double took_ns);
  void on_fetch_failed(uint32_t method, size_t step);
  // A client's own deadline has ended the fetch after `took_ns`. It counts as failed if it took
  // longer than such fetches do. Otherwise short deadlines would make an upstream seem to fail.
  void on_fetch_cut_off(uint32_t method, size_t step, double took_ns);

  // `client`: whose times count; null: those of all clients.
  Need need(uint32_t method, size_t step, const ClientTimes* client = nullptr) const;
  bool is_known(uint32_t method, size_t step) const {
    return methods_[method][step].time_ns.is_known();
  }
  // Whether each run step was measured.
  bool knows_runs(uint32_t method) const;
  double run_ns(uint32_t method, size_t step, const ClientTimes* client = nullptr) const {
    return time_of(method, step, client).mean();
  }
  bool begins_with_fetch(uint32_t method) const {
    return methods_[method].front().kind == StepKind::kFetch;
  }
  // The mean time of a run step, weighted by that time: the time of a typical unit of work, not of
  // a typical request.
  double grain_ns() const { return times_ns_ > 0 ? squares_ / times_ns_ : 0; }

 private:
  static constexpr double kBriefNs = 10e6;  // a deadline as short as this blames no upstream
  static constexpr double kGrainWeight = 1.0 / 256;

  struct StepCost {
    StepKind kind;
    telemetry::MovingAverage time_ns{ClientTimes::kWindow, ClientTimes::kScatteredWindow};
    telemetry::MovingAverage success{ClientTimes::kWindow};
  };

  const telemetry::MovingAverage& time_of(uint32_t method, size_t step,
                                          const ClientTimes* client) const;

  std::vector<std::vector<StepCost>> methods_;
  double times_ns_ = 0;  // moving averages of a run step's time and of its square
  double squares_ = 0;
};

}  // namespace ringmaster::master
