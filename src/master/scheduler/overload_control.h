// OverloadControl: whether a queue that does not drain is to be kept short.
//
// It is off until half a second's worth of work was refused while the queue never drained. So it
// stays off for a burst, and for a high load that the workers can do. While it is on, the queue has
// a limit. A shadow of the queue as it would be without the limit says when the overload is over.
// While the overload lasts, the shadow grows beyond that queue, to twice its length, but by at most
// kShadowMoreNs. Otherwise a lull between bursts would often empty it, and seem to be the end.
//
// Pure; the master only. Each share has an OverloadControl. That of the root group is for all
// clients together. `share`: in workers.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ringmaster::master {

class OverloadControl {
 public:
  static constexpr double kTriggerNs = 500e6;  // of refused work, times the share
  static constexpr double kShadowMoreNs = 500e6;

  // As of the last arrival.
  bool is_on() const { return is_on_; }
  // Whether it would be on if a request like the last one arrived now.
  bool is_on(uint64_t now_ns) const {
    return is_on_ && shadow_ns_ > share_ * (static_cast<double>(now_ns - at_ns_) + limit_ns_);
  }

  // A request of `work_ns` arrives and finds a queue of `queue_ns`; `spare_ns`: the longest wait
  // with which it would be in time.
  void on_arrival(uint64_t now_ns, double share, double queue_ns, double limit_ns, double work_ns,
                  double spare_ns) {
    const double passed_ns = static_cast<double>(now_ns - at_ns_);
    at_ns_ = now_ns;
    share_ = share;
    limit_ns_ = limit_ns;
    if (!is_on_) {
      if (queue_ns <= limit_ns) refused_ns_ = 0;  // it has drained: a burst, no overload
      return;
    }
    shadow_ns_ = std::max(0.0, shadow_ns_ - share * passed_ns);
    if (shadow_ns_ <= share * limit_ns) {
      is_on_ = false;
      refused_ns_ = 0;
    } else if (shadow_ns_ / share <= spare_ns + std::min(spare_ns, kShadowMoreNs)) {
      shadow_ns_ += work_ns;
    }
  }

  // A request was refused because it would have been late.
  void on_refused(double share, double work_ns, double spare_ns) {
    refused_ns_ = std::min(refused_ns_ + work_ns, 1.5 * kTriggerNs * share);
    if (is_on_ || refused_ns_ < kTriggerNs * share) return;
    is_on_ = true;
    shadow_ns_ = share * std::max(0.0, spare_ns);
  }

 private:
  bool is_on_ = false;
  double refused_ns_ = 0;  // work, since the queue last drained
  double shadow_ns_ = 0;   // work in the queue as it would be without the limit
  uint64_t at_ns_ = 0;     // the last arrival, its share and its limit
  double share_ = 1;
  double limit_ns_ = 0;
};

}  // namespace ringmaster::master
