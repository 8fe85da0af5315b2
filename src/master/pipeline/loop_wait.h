// LoopWait: the work of a run stage around each wait of the event loop: it takes results, wakes
// workers, spins for a short job's result, and asks to be woken for the next result. While the
// results of a batch come, it naps instead: it asks to be woken at the end of the batch only, and
// by itself looks again after a millisecond. A worker that woke the master for each result would
// make a system call for each.
//
// Processes: the master only.
// Death:     if a process dies before it rings a bell, a job waits for kUntakenMs, and a result
//            until the supervisor's tick.
#pragma once

#include <uv.h>
#include <vector>

#include "base/uv_handle.h"
#include "master/pipeline/run_stage.h"
#include "master/scheduler/spin.h"

namespace ringmaster::master {

class LoopWait;

// The LoopWait of each deployment, for the owner of the loop. During a call no LoopWait may be
// created or destroyed.
class LoopWaits {
 public:
  // Before the wait, and before answers are sent: takes results.
  void take_results();
  // Right before the wait: sending may have admitted more requests. False: there are results, the
  // loop should not wait.
  bool try_begin();
  void end();

 private:
  friend class LoopWait;

  std::vector<LoopWait*> waits_;
};

class LoopWait {
 public:
  // `waits` must outlive it.
  LoopWait(uv_loop_t* loop, LoopWaits& waits, RunStage& run_stage);
  ~LoopWait();
  LoopWait(const LoopWait&) = delete;
  LoopWait& operator=(const LoopWait&) = delete;

 private:
  friend class LoopWaits;

  void take_results();
  bool try_begin();
  // Whether the results of a batch are coming. Then a timer ends the next wait.
  bool try_nap();
  void wake_one_more_soon();
  void spin();

  LoopWaits& waits_;
  RunStage& run_stage_;
  Spin spin_;
  UvHandle<uv_timer_t> one_more_;
  UvHandle<uv_timer_t> nap_;
};

}  // namespace ringmaster::master
