// MovingAverage: the recent mean of a time or a rate, and its deviation.
//
// Pure. Averages the samples and their distances from the average, as TCP does with its round
// trips. Both averages change more slowly than TCP's, because a prediction adds up many of them.
// The first samples have equal weights, which gives the best start.
// Source: https://www.rfc-editor.org/rfc/rfc6298
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace ringmaster::telemetry {

class MovingAverage {
 public:
  // The mean is about that of the last `window` samples, or of the last `scattered_window` while
  // their deviation is larger than their mean.
  explicit MovingAverage(uint64_t window = 16) : MovingAverage(window, window) {}
  MovingAverage(uint64_t window, uint64_t scattered_window)
      : window_(window), scattered_window_(scattered_window) {}

  void add(double sample) {
    count_ = std::min(count_ + 1, deviation_ > mean_ ? scattered_window_ : window_);
    const double weight = 1.0 / static_cast<double>(count_);
    deviation_ += weight * (std::abs(sample - mean_) * (count_ > 1) - deviation_);
    mean_ += weight * (sample - mean_);
  }

  // From now on the samples so far count as so many, if they are more.
  void count_at_most(uint64_t samples) { count_ = std::min(count_, samples); }

  bool is_known() const { return count_ > 0; }
  // 0 without samples.
  double mean() const { return mean_; }
  // The mean distance of the samples from their mean.
  double deviation() const { return deviation_; }

 private:
  uint64_t window_;
  uint64_t scattered_window_;
  uint64_t count_ = 0;
  double mean_ = 0;
  double deviation_ = 0;
};

}  // namespace ringmaster::telemetry
