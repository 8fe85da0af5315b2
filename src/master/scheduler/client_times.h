// ClientTimes: how long the run steps of one client's jobs take, where that is longer than the mean
// of all clients.
//
// Clients may ask the same method for very different work. By the mean, a client with long jobs
// would be let in too often, and its jobs would be late. No client is expected to take less than
// the mean: otherwise it could make its jobs seem short, and then send long ones.
// Pure; the master only. Limits: the first kStepsMax steps that the client uses; for further ones,
// and until kSamplesMin runs, the mean counts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/telemetry/moving_average.h"

namespace ringmaster::master {

class ClientTimes {
 public:
  static constexpr size_t kStepsMax = 16;
  static constexpr uint64_t kSamplesMin = 8;
  // Scattered times get a longer window: with a short one the mean would go up and down, and
  // admission would refuse more requests.
  static constexpr uint64_t kWindow = 64;
  static constexpr uint64_t kScatteredWindow = 256;
  static constexpr double kOldNs = 2e9;
  static constexpr double kOldMeans = 10;  // of the time itself

  void add(uint32_t method, size_t step, double took_ns, uint64_t now_ns) {
    const size_t place = place_of(method, step);
    if (place == kStepsMax) return;
    if (place == steps_.size()) steps_.emplace_back(OfStep{method, step});
    ++steps_[place].samples;
    steps_[place].last_ns = now_ns;
    steps_[place].time_ns.add(took_ns);
  }

  // The client is refused: only runs could correct its times. So those of which the last run was
  // long ago are forgotten.
  void forget_old(uint64_t now_ns) {
    std::erase_if(steps_, [now_ns](const OfStep& of) {
      const double age_ns = static_cast<double>(now_ns) - static_cast<double>(of.last_ns);
      return age_ns > std::max(kOldNs, kOldMeans * of.time_ns.mean());
    });
  }

  // Null: not known.
  const telemetry::MovingAverage* find(uint32_t method, size_t step) const {
    const size_t place = place_of(method, step);
    if (place == steps_.size() || steps_[place].samples < kSamplesMin) return nullptr;
    return &steps_[place].time_ns;
  }

 private:
  struct OfStep {
    uint32_t method;
    size_t step;
    uint64_t samples = 0;
    uint64_t last_ns = 0;  // when the last sample came
    telemetry::MovingAverage time_ns{kWindow, kScatteredWindow};
  };

  // The number of steps if this one is not among them.
  size_t place_of(uint32_t method, size_t step) const {
    size_t place = 0;
    while (place < steps_.size() &&
           (steps_[place].method != method || steps_[place].step != step)) {
      ++place;
    }
    return place;
  }

  std::vector<OfStep> steps_;
};

}  // namespace ringmaster::master
