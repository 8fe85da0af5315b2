// MasterPort: the master's side of a generation's shared memory: publishes jobs, takes results, and
// finds the jobs that a dead worker had in hand.
//
// Processes: the master only. worker_port.h is the other side.
// Death:     take_over() is called once the worker has been reaped, after drain(): see invariant 4
//            in README.md.
// Trust:     only the shape of results is checked here; the run stage checks their publications.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "base/fd.h"
#include "ipc/layout.h"
#include "ipc/region.h"
#include "ipc/result_ring.h"
#include "ipc/sample_ring.h"

namespace ringmaster::ipc {

class MasterPort {
 public:
  [[nodiscard]] static Result<MasterPort> create(const Geometry& geometry);

  int control_memory_fd() const { return control_memory_.get(); }
  int event_fd() const { return event_.get(); }
  // Call when event_fd() is readable. Never waits, and cannot fail: create() has tried it.
  void take_rings() { RM_ASSERT(MasterBell::try_take_rings(event_.get())); }

  // Makes a new result ring for the worker that will be forked into this slot. Returns its memory,
  // which only that worker can map. The slot counts as the worker's until take_over() or
  // on_fork_failed(). REQUIRES: no worker has the slot. Works without a free descriptor, too, if
  // keep_spares() was called since the last memory was closed.
  [[nodiscard]] Result<Fd> renew_results(uint32_t worker);
  void on_fork_failed(uint32_t worker) { has_worker_[worker] = false; }
  void keep_spares();

  // Publishes a job whose header is filled in; wakes no worker. False: the ring is full.
  [[nodiscard]] bool try_publish(Publication id) { return ring_.try_publish(id); }
  [[nodiscard]] bool try_withdraw(Publication id) { return ring_.try_withdraw(id); }
  bool was_any_ready() const { return ring_.was_ready().has_value(); }
  // A published job that no worker has claimed. With `id`: whether this job is such a job.
  std::optional<Publication> was_ready() const { return ring_.was_ready(); }
  bool was_ready(Publication id) const { return ring_.is_ready(id); }
  // Wakes up to `count` sleeping workers, the most recently busy first: their caches are warmest.
  // Returns how many it has woken.
  size_t wake(size_t count);
  // How many workers are up and awake; whether any sleeps.
  size_t were_awake() const;
  bool was_any_asleep() const;

  // Hands results to `take`, worker by worker, each worker's oldest first, and frees their space.
  // Ends after `bytes` of results; the next call begins with the next worker. Never takes more of
  // one worker than its ring holds, so that the loop ends even if a worker keeps writing. Fails on
  // the first damaged ring, or when `take` returns false, names the worker in `damaged`, and takes
  // no further result.
  using TakeResult = std::function<bool(uint32_t worker, const ResultReader::Record& record)>;
  [[nodiscard]] Status drain(const TakeResult& take, uint64_t bytes, uint32_t& damaged);

  // The stack samples that the worker took while it ran this publication. Those of a reaped worker
  // stay until renew_results().
  std::vector<StackSample> samples_of(uint32_t worker, Publication job) const;

  size_t worker_slots() const { return worker_words_.size(); }
  // The publications that a worker's running words name. The worker may have answered some already.
  std::vector<Publication> were_running(uint32_t worker) const;
  bool was_any_in_hand(uint32_t worker) const {
    return worker_words_[worker].running[0].load(std::memory_order_acquire) != kFreeWord;
  }
  // Whether one of the worker's running words named this publication.
  bool was_running(uint32_t worker, Publication id) const;
  // Passes each publication that a worker has claimed or is running to `see`, some of them twice.
  // Answered publications may be among them.
  using See = std::function<void(uint32_t worker, Publication id)>;
  void see_held(const See& see) const;
  // The publications that a reaped worker had claimed or was running, answered ones included, each
  // once. Resets the slot's words.
  std::vector<Publication> take_over(uint32_t worker);

  // Checks the workers' words and the ring. An error: a word that no undamaged worker can have
  // written, or that names a slot without a worker: nothing would ever end that job. (drain()
  // checks the results; the cursor is a hint, and the master's bell is set anew before and after
  // each wait.) Passes the publications that the words name to `name`, some of them twice.
  // `is_published`: whether a publication in the ring is with the workers, by the job table. A
  // publication that was with the workers before the call, and is neither named nor among the
  // results of the next drain(), was lost to damage.
  using IsPublished = std::function<bool(Publication id)>;
  using Name = std::function<void(Publication id)>;
  [[nodiscard]] Status audit(const IsPublished& is_published, const Name& name) const;

  WorkerState was_state(uint32_t worker) const { return worker_words_[worker].bell.was_state(); }

  // Call these around the event loop's wait. After announce_sleep(), check was_any_result() again.
  void announce_sleep(MasterBell::Sleep sleep) { head_->master_bell.announce_sleep(sleep); }
  void cancel_sleep() { head_->master_bell.cancel_sleep(); }
  bool was_any_result() const;

 private:
  MasterPort(Region control, const Geometry& geometry);
  bool try_wake_one();
  struct ReadyEntry {
    uint32_t job;
    JobWord word;
    size_t entry;
  };
  // The READY entries, by job.
  Result<std::vector<ReadyEntry>> audit_ring(const IsPublished& is_published,
                                             const Name& name) const;
  Status audit_worker(uint32_t worker, const std::vector<ReadyEntry>& ready,
                      const Name& name) const;
  bool has_worker(size_t slot) const { return slot < has_worker_.size() && has_worker_[slot]; }

  struct Results {
    Region memory;
    ResultReader reader;
  };

  uint32_t job_slots_;
  uint64_t result_bytes_;
  Fd control_memory_;
  Fd event_;
  // To create a memory takes one descriptor, to map it another one; the sockets of the worker's
  // output take two while the memory is open.
  Fd spares_[3];
  Region control_;
  ControlHead* head_;
  std::span<WorkerWords> worker_words_;
  Ring ring_;
  std::vector<std::optional<Results>> results_;  // by slot; none: the slot never had a worker
  std::vector<bool> has_worker_;                 // by worker slot
  // By worker slot: the value of results_taken_ when the slot's last result was taken.
  std::vector<uint64_t> last_result_at_;
  uint64_t results_taken_ = 0;
  uint32_t next_drained_ = 0;  // the worker with which drain() begins
};

}  // namespace ringmaster::ipc
