#include "master/pipeline/job_timers.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "master/pipeline/job.h"

namespace ringmaster::master {

JobTimers::JobTimers(uv_loop_t* loop, std::function<void(Job&)> on_due)
    : on_due_(std::move(on_due)), timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {}

JobTimers::ByDeadline::iterator JobTimers::find_or_add(uint64_t due_ms) {
  auto next = by_deadline_.end();
  if (!by_deadline_.empty() && std::prev(next)->first == due_ms) return std::prev(next);
  next = by_deadline_.lower_bound(due_ms);
  if (next != by_deadline_.end() && next->first == due_ms) return next;
  if (unused_.empty()) return by_deadline_.try_emplace(next, due_ms);
  unused_.key() = due_ms;
  return by_deadline_.insert(next, std::move(unused_));
}

void JobTimers::start(Job& job, uint64_t due_ns) {
  JobTimers::Timer& timer = job.timer;
  RM_ASSERT(timer.due_ms == 0);
  if (timer.node.empty()) timer.node.push_back(&job);
  timer.due_ms = due_ns / kNsPerMs + 1;
  timer.place = timer.node.begin();
  Jobs& jobs = find_or_add(timer.due_ms)->second;
  jobs.splice(jobs.end(), timer.node, timer.place);
  if (armed_ms_ == 0 || timer.due_ms < armed_ms_) arm(timer.due_ms);
}

// The libuv timer goes on: it may fire in vain, once.
void JobTimers::stop(Job& job) {
  const uint64_t due_ms = std::exchange(job.timer.due_ms, 0);
  if (due_ms == 0) return;
  const auto found = by_deadline_.find(due_ms);
  job.timer.node.splice(job.timer.node.end(), found->second, job.timer.place);
  if (found->second.empty()) unused_ = by_deadline_.extract(found);
}

void JobTimers::arm(uint64_t due_ms) {
  armed_ms_ = due_ms;
  const uint64_t now_ms = now_ns() / kNsPerMs;
  const auto fire = [](uv_timer_t* timer) { static_cast<JobTimers*>(timer->data)->on_timer(); };
  uv_timer_start(timer_.get(), fire, due_ms - std::min(due_ms, now_ms), 0);
}

// libuv counts from the time at which its loop woke up, so the timer may fire early.
void JobTimers::on_timer() {
  armed_ms_ = 0;
  const uint64_t now_ms = now_ns() / kNsPerMs;
  while (!by_deadline_.empty() && by_deadline_.begin()->first <= now_ms) {
    Job& job = *by_deadline_.begin()->second.front();
    stop(job);
    on_due_(job);
  }
  if (!by_deadline_.empty()) arm(by_deadline_.begin()->first);
}

}  // namespace ringmaster::master
