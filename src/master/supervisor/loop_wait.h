// LoopWait: what the master does for its workers right before the event loop waits: wakes them,
// spins for a short job's result, and asks to be woken for the next one.
//
// Processes: the master only.
// Death:     of a process before it rings a bell: a job then waits for kUntakenMs, a result until
//            the supervisor's tick.
#pragma once

#include <uv.h>

#include "base/uv_handle.h"
#include "master/pipeline/run_stage.h"
#include "master/scheduler/spin.h"

namespace ringmaster::master {

class LoopWait {
 public:
  LoopWait(uv_loop_t* loop, RunStage& run_stage);

  // Before the wait, after all answers were sent. False: there are results, the loop should not
  // wait. `has_trust` false: wakes workers, but ignores results.
  bool try_begin(bool has_trust);
  void end() { run_stage_.cancel_sleep(); }

 private:
  void wake_one_more_soon();
  void spin();

  RunStage& run_stage_;
  Spin spin_;
  UvHandle<uv_timer_t> one_more_;
};

}  // namespace ringmaster::master
