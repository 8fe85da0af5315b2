// Trials: requests whose client allows less time than the method's jobs take.
//
// Such a job would be abandoned, and keep its worker meanwhile. So it is refused, except for a
// trial now and then: it measures anew how long the method's jobs take. No trial begins while an
// abandoned job has a worker. After a method's job was abandoned, the method's next trial waits for
// kTrialNs, or for ten times a job's time, if that is longer.
// Pure; the master only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace ringmaster::master {

class Trials {
 public:
  static constexpr uint64_t kTrialNs = 2'000'000'000;
  // The expected time until an abandoned job's worker is free again: if jobs wait, the worker is
  // replaced (see RunStage::end_abandoned).
  static constexpr uint64_t kAbandonedNs = 100'000'000;

  void add_method() { due_ns_.push_back(0); }

  // Empty: admit the request. Else the client may try again after this time. `takes_ns`: the time
  // that the method's jobs take.
  std::optional<uint64_t> retry_after_ns(uint32_t method, double takes_ns, uint64_t now_ns,
                                         uint64_t deadline_ns) {
    if (takes_ns <= static_cast<double>(deadline_ns - now_ns)) return std::nullopt;
    uint64_t& due_ns = due_ns_[method];
    if (abandoned_ == 0 && now_ns >= due_ns) {
      due_ns = deadline_ns;  // one trial at a time
      return std::nullopt;
    }
    return std::max(due_ns, now_ns + kAbandonedNs) - now_ns;
  }
  void on_abandoned(uint32_t method, double takes_ns, uint64_t now_ns) {
    ++abandoned_;
    due_ns_[method] = now_ns + std::max(kTrialNs, static_cast<uint64_t>(kTimes * takes_ns));
  }
  // An abandoned job has ended.
  void on_released() { --abandoned_; }

 private:
  static constexpr double kTimes = 10;

  std::vector<uint64_t> due_ns_;  // of the next trial, by method
  size_t abandoned_ = 0;
};

}  // namespace ringmaster::master
