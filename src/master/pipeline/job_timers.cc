#include "master/pipeline/job_timers.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "master/pipeline/job.h"

namespace ringmaster::master {

JobTimers::JobTimers(uv_loop_t* loop, std::function<void(Job&)> on_due)
    : on_due_(std::move(on_due)), timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {}

JobTimers::Lists::iterator JobTimers::find_or_add(uint64_t at_ms) {
  auto next = lists_.end();
  if (!lists_.empty() && std::prev(next)->first == at_ms) return std::prev(next);
  next = lists_.lower_bound(at_ms);
  if (next != lists_.end() && next->first == at_ms) return next;
  if (unused_.empty()) return lists_.try_emplace(next, at_ms);
  unused_.key() = at_ms;
  return lists_.insert(next, std::move(unused_));
}

void JobTimers::start(Job& job, uint64_t due_ns) {
  RM_ASSERT(job.timer.due_ms == 0);
  if (job.timer.node.empty()) job.timer.node.push_back(&job);
  place(job, due_ns / kNsPerMs + 1);
}

void JobTimers::place(Job& job, uint64_t due_ms) {
  Timer& timer = job.timer;
  const bool is_later = due_ms >= single_until_ms_;
  const uint64_t slot_ms = std::max(due_ms & ~(kLaterMs - 1), kLaterMs);
  const uint64_t at_ms = is_later ? slot_ms - kLaterMs : due_ms;
  timer.due_ms = due_ms;
  timer.place = timer.node.begin();
  timer.list = find_or_add(at_ms);
  Jobs& jobs = timer.list->second;
  jobs.splice(jobs.end(), timer.node, timer.place);
  if (armed_ms_ == 0 || at_ms < armed_ms_) arm(at_ms, now_ns() / kNsPerMs);
}

// The libuv timer goes on: it may fire in vain, once.
void JobTimers::stop(Job& job) {
  Timer& timer = job.timer;
  if (std::exchange(timer.due_ms, 0) == 0) return;
  Jobs& jobs = timer.list->second;
  timer.node.splice(timer.node.end(), jobs, timer.place);
  if (jobs.empty()) unused_ = lists_.extract(timer.list);
}

void JobTimers::arm(uint64_t at_ms, uint64_t now_ms) {
  armed_ms_ = at_ms;
  const auto fire = [](uv_timer_t* timer) { static_cast<JobTimers*>(timer->data)->on_timer(); };
  uv_timer_start(timer_.get(), fire, at_ms - std::min(at_ms, now_ms), 0);
}

// libuv counts from the time at which its loop woke up, so the timer may fire early.
void JobTimers::on_timer() {
  armed_ms_ = 0;
  const uint64_t now_ms = now_ns() / kNsPerMs;
  single_until_ms_ = now_ms + 2 * kLaterMs;
  size_t moved = 0;
  while (!lists_.empty() && lists_.begin()->first <= now_ms && moved < kMovedMax) {
    const uint64_t at_ms = lists_.begin()->first;
    Job& job = *lists_.begin()->second.front();
    const uint64_t due_ms = job.timer.due_ms;
    stop(job);
    if (due_ms == at_ms) {
      on_due_(job);
    } else {
      place(job, due_ms);
      ++moved;
    }
  }
  // In the next turn at the earliest: libuv runs a timer without a delay again in the same turn.
  if (!lists_.empty()) arm(std::max(lists_.begin()->first, now_ms + 1), now_ms);
}

}  // namespace ringmaster::master
