// RecentCounts: the counts of RequestMetrics as they were up to a minute ago, so that a single look
// at a server shows how much they have grown lately.
//
// Pure; one thread. Needs no timer: the counts change with events only. So the first event after a
// step of kStepNs keeps a copy of the counts before it.
// Memory: kKept copies of RequestMetrics.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>

#include "base/telemetry/request_metrics.h"

namespace ringmaster::telemetry {

class RecentCounts {
 public:
  static constexpr uint64_t kStepNs = 10'000'000'000;
  static constexpr size_t kKept = 8;
  static constexpr uint64_t kAgeMaxNs = (kKept - 2) * kStepNs;

  // To be called before `counts` counts an event of this time.
  void keep(const RequestMetrics& counts, uint64_t event_ns) {
    if (event_ns < step_end_ns_) return;
    if (kept_.size() == kKept) kept_.pop_front();
    kept_.emplace_back(Kept{step_end_ns_, event_ns, counts});
    step_end_ns_ = event_ns - event_ns % kStepNs + kStepNs;
  }

  struct Former {
    uint64_t at_ns;  // when they were these
    const RequestMetrics& counts;
  };
  // The counts at `at_ns`, or up to kStepNs before. `present`: the counts now. REQUIRES: `at_ns` is
  // at most kAgeMaxNs ago.
  Former find(const RequestMetrics& present, uint64_t at_ns) const {
    if (at_ns >= step_end_ns_) return {at_ns, present};
    auto found = std::prev(kept_.end());
    while (found->from_ns > at_ns && found != kept_.begin())
      --found;
    return {std::min(at_ns, found->until_ns), found->counts};
  }

 private:
  struct Kept {
    uint64_t from_ns;   // no event has changed the counts from then
    uint64_t until_ns;  // to then
    RequestMetrics counts;
  };
  std::deque<Kept> kept_;     // the oldest first
  uint64_t step_end_ns_ = 0;  // of the step with the last event
};

}  // namespace ringmaster::telemetry
