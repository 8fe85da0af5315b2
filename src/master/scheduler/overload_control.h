// OverloadControl: whether a queue that does not drain is to be kept short.
//
// It is off until half a second's worth of work was refused while the queue never drained. So it
// stays off for a burst, and for a high load that the workers can do. While it is on, the queue has
// a limit, which differs between requests. The queue counts as drained below the smallest limit of
// the refused requests: others may allow much longer queues, and say nothing of these requests.
// A shadow of the queue as it would be without the limit says when the overload is over.
// While the overload lasts, the shadow grows beyond that queue, to twice its length, but by at most
// kShadowMoreNs. Otherwise a lull between bursts would often empty it, and seem to be the end.
//
// Pure; the master only. Each share has an OverloadControl, and one more for each method of which
// requests wait because of its limit. Those of the root group are for all clients together.
// `share`: in workers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace ringmaster::master {

class OverloadControl {
 public:
  static constexpr double kTriggerNs = 500e6;  // of refused work, times the share
  static constexpr double kShadowMoreNs = 500e6;
  // A request that allows little time has a small limit. But a shorter queue has drained for all.
  static constexpr double kLimitNsMin = 5e6;

  // As of the last arrival.
  bool is_on() const { return is_on_; }
  // Whether it would be on if a request like the last one arrived now.
  bool is_on(uint64_t now_ns) const {
    return is_on_ && shadow_ns_ > share_ * (static_cast<double>(now_ns - at_ns_) + drained_ns_);
  }

  // A request of `work_ns` arrives and finds a queue of `queue_ns`; `spare_ns`: the longest wait
  // with which it would be in time.
  void on_arrival(uint64_t now_ns, double share, double queue_ns, double work_ns, double spare_ns) {
    const double passed_ns = static_cast<double>(now_ns - at_ns_);
    at_ns_ = now_ns;
    share_ = share;
    if (!is_on_) {
      if (queue_ns <= drained_ns_) begin_anew();  // it has drained: a burst, no overload
      return;
    }
    shadow_ns_ = std::max(0.0, shadow_ns_ - share * passed_ns);
    if (shadow_ns_ <= share * drained_ns_) {
      begin_anew();
    } else if (shadow_ns_ / share <= spare_ns + std::min(spare_ns, kShadowMoreNs)) {
      shadow_ns_ += work_ns;
    }
  }

  // A request was refused because it would have been late. `limit_ns`: of the queue, for it.
  void on_refused(uint64_t now_ns, double share, double limit_ns, double work_ns, double spare_ns) {
    at_ns_ = now_ns;
    share_ = share;
    drained_ns_ = std::min(drained_ns_, std::max(limit_ns, kLimitNsMin));
    refused_ns_ = std::min(refused_ns_ + work_ns, 1.5 * kTriggerNs * share);
    if (is_on_ || refused_ns_ < kTriggerNs * share) return;
    is_on_ = true;
    shadow_ns_ = share * std::max(0.0, spare_ns);
  }

 private:
  void begin_anew() {
    is_on_ = false;
    refused_ns_ = 0;
    drained_ns_ = std::numeric_limits<double>::infinity();
  }

  bool is_on_ = false;
  double refused_ns_ = 0;  // work, since the queue last drained
  double shadow_ns_ = 0;   // work in the queue as it would be without the limit
  double drained_ns_ = std::numeric_limits<double>::infinity();  // see above
  uint64_t at_ns_ = 0;                                           // the last arrival, and its share
  double share_ = 1;
};

}  // namespace ringmaster::master
