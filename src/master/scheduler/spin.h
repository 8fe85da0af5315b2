// Spin: whether the master polls for a result for some microseconds before its loop sleeps. To
// sleep and to be woken takes longer than a short job.
//
// Spinning needs a spare core: else the master occupies the only core that the worker could run on,
// and no result comes. So each spin in vain makes the master skip twice as many spins as before.
//
// Pure; the master only.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ringmaster::master {

class Spin {
 public:
  // No spin for more work than this, of all workers together.
  static constexpr uint64_t kWorkNsMax = 10'000;
  // The longest spin.
  static constexpr uint64_t kSpinNs = 20'000;

  // True: spin now, then call on_end(). `work_ns`: the work that the workers have, 0 if none.
  [[nodiscard]] bool try_begin(uint64_t work_ns) {
    if (work_ns == 0 || work_ns > kWorkNsMax) return false;
    if (pause_ == 0) return true;
    --pause_;
    return false;
  }
  void on_end(bool has_come) {
    next_pause_ = has_come ? 0 : std::min(2 * next_pause_ + 1, kPauseMax);
    pause_ = next_pause_;
  }

 private:
  static constexpr uint32_t kPauseMax = 127;

  uint32_t pause_ = 0;  // so many calls of try_begin() return false
  uint32_t next_pause_ = 0;
};

}  // namespace ringmaster::master
