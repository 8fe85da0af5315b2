// JobTimers: calls back when the deadline of a job is over.
//
// All jobs share one libuv timer: to start and stop one for each took 6% of the master's time at
// 500,000 requests a second. Deadlines count in whole ms, rounded up. The jobs of one ms stand in
// one list, so a method's jobs cost the same whether 10 or 100,000 are in flight. Later deadlines
// share a list for each kLaterMs. A second before the first of them is over, the timer begins to
// move the jobs to lists of single ms. So there are few lists, and those that start() looks at stay
// in the CPU's cache.
//
// Threads: the loop's only. Memory: at most 3 * kLaterMs lists for single ms, and one for each
//          further kLaterMs.
// Limits:  start() takes O(log of the number of lists), stop() O(1). The timer moves kMovedMax jobs
//          in a turn of the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>

#include "base/uv_handle.h"

namespace ringmaster::master {

struct Job;

class JobTimers {
  using Jobs = std::list<Job*>;
  using Lists = std::map<uint64_t, Jobs>;  // by the ms at which they are looked at

 public:
  static constexpr uint64_t kLaterMs = 1024;  // a power of 2
  static constexpr size_t kMovedMax = 2000;

  // A member of each job.
  struct Timer {
    uint64_t due_ms = 0;  // 0: not started
    Lists::iterator list;
    Jobs node;  // the job itself, while not started; empty before the first start
    Jobs::iterator place;
  };

  JobTimers(uv_loop_t* loop, std::function<void(Job&)> on_due);

  // Calls on_due(job) once, at `due_ns` or later. REQUIRES: the job's timer is not started.
  void start(Job& job, uint64_t due_ns);
  // Does nothing if the timer is not started.
  void stop(Job& job);

 private:
  void place(Job& job, uint64_t due_ms);
  Lists::iterator find_or_add(uint64_t at_ms);
  void arm(uint64_t at_ms, uint64_t now_ms);
  void on_timer();

  std::function<void(Job&)> on_due_;
  Lists lists_;
  Lists::node_type unused_;       // the last list that became empty, for the next one
  uint64_t single_until_ms_ = 0;  // place() gives an earlier deadline to the list of its ms
  uint64_t armed_ms_ = 0;         // when the timer is to fire; 0: it is not started
  UvHandle<uv_timer_t> timer_;
};

}  // namespace ringmaster::master
