// DispatchWindow: what is published and not done yet, be it claimed or not (what waits in the queue
// is no part of it). It says how far ahead of the workers jobs are published, and how many workers
// should be awake for that.
//
// A worker that finds no job sleeps, and to wake it costs two system calls and two switches, more
// than many a job takes. So short jobs are published by the dozen, and for a handful of them one
// worker is enough; long ones stay in the queue, where they can still be reordered, and each gets a
// worker of its own.
//
// Pure bookkeeping; the master only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace ringmaster::master {

class DispatchWindow {
 public:
  // As much work as is published for each worker, if it is done in many jobs. What comes in later
  // and is more urgent has to wait for that long.
  static constexpr uint64_t kAheadNs = 500'000;
  // In any case as many jobs for each worker, beyond the one that it works on, however long they
  // are: none waits for us. (As many as its handler takes together, if that is more: a more urgent
  // one then has to wait for all of these.)
  static constexpr size_t kAheadJobs = 2;
  // Work that is worth waking a worker for, while another one is at it.
  static constexpr uint64_t kWorthWakingNs = 50'000;

  // Of short jobs no more than `ahead_jobs_max` are published; what each worker is given in any
  // case may come to more.
  explicit DispatchWindow(size_t ahead_jobs_max) : ahead_jobs_max_(ahead_jobs_max) {}

  void set_workers(size_t count) { workers_ = count; }

  // Whether one more job should be published now, of a handler that takes `batch` together.
  bool has_room(size_t batch) const {
    return jobs_ < workers_ * (1 + std::max(kAheadJobs, batch)) ||
           (jobs_ < ahead_jobs_max_ && work_ns_ < workers_ * kAheadNs);
  }
  // A job of this length was published; of one that is not known a worker's whole attention is
  // expected. Returns what remove() has to be told.
  uint64_t add(std::optional<double> run_ns) {
    const uint64_t expected_ns = run_ns ? static_cast<uint64_t>(*run_ns) : kAheadNs;
    ++jobs_;
    work_ns_ += expected_ns;
    return expected_ns;
  }
  // It is back: done, withdrawn or lost.
  void remove(uint64_t expected_ns) {
    --jobs_;
    work_ns_ -= expected_ns;
  }

  size_t jobs() const { return jobs_; }
  uint64_t work_ns() const { return work_ns_; }
  // Those that should be awake for it.
  size_t workers_needed() const {
    const size_t worth_waking = work_ns_ / kWorthWakingNs + 1;
    return std::min({worth_waking, jobs_, workers_});
  }

 private:
  size_t ahead_jobs_max_;
  size_t workers_ = 0;
  size_t jobs_ = 0;
  uint64_t work_ns_ = 0;
};

}  // namespace ringmaster::master
