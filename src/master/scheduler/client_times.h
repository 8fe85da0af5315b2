// ClientTimes: how long the run steps of one client's jobs take.
//
// Clients may ask the same method for very different work. By the mean of all clients a client with
// long jobs would be let in too often, and its jobs would be late; one with short jobs would be
// refused too often.
// Pure; the master only. Limits: the first kStepsMax steps that the client uses; for further ones,
// and until kSamplesMin runs, the mean of all clients counts.
#pragma once

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

  void add(uint32_t method, size_t step, double took_ns) {
    const size_t place = place_of(method, step);
    if (place == kStepsMax) return;
    if (place == steps_.size()) steps_.emplace_back(OfStep{method, step});
    ++steps_[place].samples;
    steps_[place].time_ns.add(took_ns);
  }

  // Null: the mean of all clients counts.
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
