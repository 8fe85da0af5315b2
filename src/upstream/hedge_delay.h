// HedgeDelay: after how long a fetch is hedged: a fixed time, or the time within which a given part
// of the recent attempts was answered ("p95").
//
// Pure: no I/O, no clock.
// Memory:  one number. Each attempt multiplies the estimate by a factor near 1: above 1 if the
//          attempt took longer than the estimate, else below 1. The higher the percentile, the
//          larger the steps up and the smaller the steps down. So the estimate settles where the
//          given part of the attempts takes less time. It begins with the shortest of the first
//          attempts: of "p95" it rises tenfold in 50 attempts, and falls tenfold in 900.
// Source:  Robbins, Monro, "A Stochastic Approximation Method" (1951); Ma, Muthukrishnan, Sandler,
//          "Frugal Streaming for Estimating Quantiles" (2014).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "upstream/options.h"

namespace ringmaster::upstream {

class HedgeDelay {
 public:
  // The first hedge follows when so many attempts have been seen.
  static constexpr uint64_t kSamplesMin = 20;

  explicit HedgeDelay(const Hedge& hedge) : hedge_(hedge) {}

  // An attempt was answered after this time.
  void on_answer(uint64_t took_ns) {
    const auto took = static_cast<double>(took_ns);
    if (seen_ < kSamplesMin) {
      estimate_ns_ = seen_ == 0 ? took : std::min(estimate_ns_, took);
      ++seen_;
    } else {
      const double below = static_cast<double>(hedge_.after_percentile) / 100;
      estimate_ns_ *= std::exp(took > estimate_ns_ ? kRate * below : -kRate * (1 - below));
    }
  }
  // An attempt was ended after this time. Its answer would have taken longer.
  void on_cut_off(uint64_t took_ns) {
    if (static_cast<double>(took_ns) > estimate_ns_) on_answer(took_ns);
  }

  // Nothing: not known yet, or there are no hedges. At least 1 ms: the loop's timers count in
  // milliseconds.
  std::optional<uint64_t> ns() const {
    if (hedge_.after_ms > 0) return hedge_.after_ms * kNsPerMs;
    if (hedge_.after_percentile == 0 || seen_ < kSamplesMin) return std::nullopt;
    return std::max(static_cast<uint64_t>(estimate_ns_), kNsPerMs);
  }

 private:
  static constexpr double kRate = 0.05;

  Hedge hedge_;
  uint64_t seen_ = 0;
  double estimate_ns_ = 0;
};

}  // namespace ringmaster::upstream
