// AdaptiveLimit: how many fetches an address may have in flight, so that none queue there.
//
// Pure: no I/O, no clock. Not for several threads.
// Limit:  becomes limit × gradient + √limit at the end of each window. A window has at least 100 ms
//         and 20 answers. The gradient is the usual time of an answer, divided by the window's
//         mean, from 1/2 to 1. An answer may take a quarter longer than usual, so that noise does
//         not shrink the limit.
// Usual:  what answers take in windows that need at most half of the limit. If load leaves no such
//         window for 10 s, the limit is halved for two windows: further fetches wait meanwhile, and
//         none is refused.
// Source: Envoy's adaptive concurrency filter; Netflix' concurrency-limits (Gradient2).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace ringmaster::upstream {

class AdaptiveLimit {
 public:
  explicit AdaptiveLimit(uint64_t max);

  // A fetch has ended after `took_ns`, with an answer or without one in time. `in_flight`: the
  // fetches that have a connection, this one included.
  void on_end(uint64_t took_ns, size_t in_flight, uint64_t now_ns);

  // Sets the maximum anew: over HTTP/2 the same connections serve more fetches.
  void set_max(uint64_t max) {
    max_ = static_cast<double>(max);
    limit_ = std::min(limit_, max_);
  }

  // From 1 to `max`.
  uint64_t limit() const;

 private:
  enum class Look : uint8_t { kNone, kSettling, kMeasuring };  // whether usual_ns_ is measured anew

  void end_window(double mean_ns, uint64_t now_ns);

  double max_;
  double limit_;
  Look look_ = Look::kNone;
  double usual_ns_ = 0;    // 0: not known yet
  uint64_t known_ns_ = 0;  // when usual_ns_ was last measured
  // Of the present window.
  uint64_t begin_ns_ = 0;
  uint64_t answers_ = 0;
  double sum_ns_ = 0;
  size_t in_flight_max_ = 0;
};

}  // namespace ringmaster::upstream
