// StallWatch: whether the workers have jobs and none of them is at work.
//
// Time is counted in ticks of the master's loop, as in frozen_watch.h.
// Pure. Processes: the master only.
#pragma once

#include <cstdint>
#include <functional>

namespace ringmaster::master {

class StallWatch {
 public:
  static constexpr uint32_t kTicks = 20;  // 1 s

  // Call it at each tick. `jobs`: how many are published and not done. `results`: how many there
  // were so far. After each kTicks without a result, it calls is_any_at_work(): whether a worker is
  // busy with a job.
  void on_tick(uint64_t jobs, uint64_t results, const std::function<bool()>& is_any_at_work) {
    if (jobs == 0 || results != results_) {
      results_ = results;
      waited_ticks_ = 0;
      is_stalled_ = false;
    } else if (++waited_ticks_ % kTicks == 0) {
      is_stalled_ = !is_any_at_work();
    }
  }
  bool is_stalled() const { return is_stalled_; }

 private:
  uint32_t waited_ticks_ = 0;
  uint64_t results_ = 0;
  bool is_stalled_ = false;
};

}  // namespace ringmaster::master
