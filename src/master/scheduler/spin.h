// Spin: whether to wait for a result by looking again and again, for some microseconds, before the
// loop goes to sleep. To be put to sleep and woken takes longer than a short job does.
//
// Only where there is a core to spare: else the master keeps the worker from the only one that it
// could run on, and the result does not come. How that turns out is how it finds out: each time in
// vain makes it pause, twice as long as the time before.
//
// Pure; the master only.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ringmaster::master {

class Spin {
 public:
  // Not for more work than this, of all workers together.
  static constexpr uint64_t kWorkNsMax = 10'000;
  // For at most so long.
  static constexpr uint64_t kSpinNs = 20'000;

  // False: do not spin now. True: do, and tell on_end() how it ended. `work_ns`: what the workers
  // have to do, 0 if nothing.
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

  uint32_t pause_ = 0;  // so many times it is not tried
  uint32_t next_pause_ = 0;
};

}  // namespace ringmaster::master
