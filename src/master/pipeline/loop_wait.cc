#include "master/pipeline/loop_wait.h"

#include "base/clock.h"

namespace ringmaster::master {
namespace {

// How long a job may stay unclaimed while a worker sleeps.
constexpr uint64_t kUntakenMs = 1;

// How long a batch's results may stay untaken while its worker has more of them to come.
constexpr uint64_t kNapMs = 1;

}  // namespace

void LoopWaits::take_results() {
  for (LoopWait* wait : waits_)
    wait->take_results();
}

bool LoopWaits::try_begin() {
  bool may_wait = true;
  for (LoopWait* wait : waits_)
    may_wait &= wait->try_begin();
  return may_wait;
}

void LoopWaits::end() {
  for (LoopWait* wait : waits_) {
    wait->run_stage_.cancel_sleep();
    wait->run_stage_.begin_turn();
  }
}

LoopWait::LoopWait(uv_loop_t* loop, LoopWaits& waits, RunStage& run_stage)
    : waits_(waits),
      run_stage_(run_stage),
      one_more_(make_handle<uv_timer_t>(loop, this, uv_timer_init)),
      nap_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {
  waits_.waits_.push_back(this);
}

LoopWait::~LoopWait() {
  std::erase(waits_.waits_, this);
}

void LoopWait::take_results() {
  run_stage_.wake_workers();
  if (!run_stage_.has_results()) return;
  run_stage_.take_results(RunStage::kTakenAtOnceBytes);
  run_stage_.wake_workers();
}

bool LoopWait::try_begin() {
  run_stage_.wake_workers();
  wake_one_more_soon();
  if (!run_stage_.has_results() && spin_.try_begin(run_stage_.work_ns())) spin();
  run_stage_.announce_sleep(try_nap() ? ipc::MasterBell::Sleep::kNapping
                                      : ipc::MasterBell::Sleep::kSleeping);
  return !run_stage_.has_results();
}

bool LoopWait::try_nap() {
  if (run_stage_.had_batch_results()) {
    const auto look_again = [](uv_timer_t*) {};  // the loop takes results before each wait
    uv_timer_start(nap_.get(), look_again, kNapMs, 0);
  }
  return uv_is_active(reinterpret_cast<uv_handle_t*>(nap_.get())) != 0;
}

void LoopWait::wake_one_more_soon() {
  const bool is_set = uv_is_active(reinterpret_cast<uv_handle_t*>(one_more_.get())) != 0;
  if (is_set || !run_stage_.could_wake_more()) return;
  uv_timer_start(
      one_more_.get(),
      [](uv_timer_t* timer) { static_cast<LoopWait*>(timer->data)->run_stage_.wake_one_more(); },
      kUntakenMs, 0);
}

void LoopWait::spin() {
  const uint64_t end_ns = now_ns() + Spin::kSpinNs;
  while (!run_stage_.has_results() && now_ns() < end_ns) {
  }
  spin_.on_end(run_stage_.has_results());
}

}  // namespace ringmaster::master
