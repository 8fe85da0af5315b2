// DispatchWindow: the jobs that are published and not done, claimed or not (jobs in the queue are
// not in it). It says how far ahead of the workers to publish, and how many workers should be
// awake.
//
// To wake a sleeping worker costs two system calls and two context switches, more than many jobs
// take. So short jobs are published by the dozen, and one worker is enough for a handful of them.
// Long jobs stay in the queue, where they can still be reordered, and each gets a worker of its
// own.
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
  // The work that is published ahead for each worker, of short jobs. A more urgent job that comes
  // later waits for that long.
  static constexpr uint64_t kAheadNs = 500'000;
  // The jobs that are published ahead for each worker in any case, beyond the one that it runs, so
  // that no worker waits for the master. (A batch, if that is more: a more urgent job then waits
  // for the whole batch.)
  static constexpr size_t kAheadJobs = 2;
  // Work that is worth waking one more worker for.
  static constexpr uint64_t kWorthWakingNs = 50'000;

  // No more than `ahead_jobs_max` short jobs are published; kAheadJobs for each worker may be more.
  explicit DispatchWindow(size_t ahead_jobs_max) : ahead_jobs_max_(ahead_jobs_max) {}

  void set_workers(size_t count) { workers_ = count; }

  // Whether to publish one more job now, of a handler with this `batch`.
  bool has_room(size_t batch) const {
    return jobs_ < workers_ * (1 + std::max(kAheadJobs, batch)) ||
           (jobs_ < ahead_jobs_max_ && work_ns_ < workers_ * kAheadNs);
  }
  // A job of this run time was published; empty: unknown, counts as kAheadNs. Returns the argument
  // for remove().
  uint64_t add(std::optional<double> run_ns) {
    const uint64_t expected_ns = run_ns ? static_cast<uint64_t>(*run_ns) : kAheadNs;
    ++jobs_;
    work_ns_ += expected_ns;
    return expected_ns;
  }
  // A job was done, withdrawn or lost.
  void remove(uint64_t expected_ns) {
    --jobs_;
    work_ns_ -= expected_ns;
  }

  size_t jobs() const { return jobs_; }
  uint64_t work_ns() const { return work_ns_; }
  // How many workers should be awake for these jobs.
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
