// RunStage: runs a job's run steps: queue -> ring -> worker -> result.
//
// The queue holds what waits, by deadline; only as many jobs as the workers can take within moments
// are published to the ring.
// Processes: the master only.
// Death:     of a worker: on_worker_lost(), once it was reaped. Its jobs go back into the queue, as
//            long as they have attempts left. Of the fork server: on_port_lost(), the same for all.
// Trust:     results are matched with the table: one that no published job has is damage, as is a
//            ring that makes no sense. Words are looked at by audit().
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/options.h"
#include "ipc/master_port.h"
#include "master/pipeline/job.h"
#include "master/pipeline/stage_events.h"
#include "master/pipeline/worker_exit.h"
#include "master/scheduler/deadline_queue.h"
#include "master/scheduler/dispatch_window.h"

namespace ringmaster::master {

class RunStage {
 public:
  // Asked when a job overruns its method's deadline, or its handler does not return: end this
  // worker, there is no other way to stop it.
  using KillWorker = std::function<void(uint32_t worker)>;
  // Told of a job that has no attempts left because its workers died, before it fails.
  using OnCrash = std::function<void(const Job& job)>;

  RunStage(ipc::PayloadStore& store, JobTable& table, Admission& admission,
           const ipc::Geometry& geometry, StageEvents& events, KillWorker kill_worker);

  // Queues the job for its current step, which is this one.
  void start(Job& job, const RunStep& step);

  // Takes the job out of the stage if no worker has it. False: one has, or had for a moment.
  [[nodiscard]] bool try_drop(Job& job);

  // For take_results(): after so many bytes the clients should get theirs first; without a limit.
  static constexpr uint64_t kTakenAtOnceBytes = 1 << 20;
  static constexpr uint64_t kAllBytes = ~uint64_t{0};

  enum class Expired {
    kDropped,    // it was still waiting for its run; it is in no stage any more
    kMovedOn,    // its result was there already, and has been delivered: look again
    kAbandoned,  // a worker has it: on_released() follows when it is done, or the worker has ended
  };
  Expired expire(Job& job);

  // Ends the worker that has this abandoned job in hand. If none is found, audit() looks again.
  void end_worker_of(const Job& job);
  // Each tick: ends one worker that has nothing but abandoned jobs in hand, if another job waits
  // and no worker has given a result, both since the last tick. At most one in kEndAbandonedNs.
  void end_abandoned(uint64_t now_ns);
  static constexpr uint64_t kEndAbandonedNs = 1'000'000'000;

  void set_on_crash(OnCrash on_crash) { on_crash_ = std::move(on_crash); }
  // The generation to work with, and how many of its workers can take jobs.
  void set_port(ipc::MasterPort* port);
  void set_workers(size_t count);

  // Delivers what the workers have published, of each about `bytes_each`. Fails when a worker has
  // damaged its results. Once this or audit() has failed, the generation is believed nothing more:
  // no result of it is taken and no job given to it, and each call fails again, until set_port().
  [[nodiscard]] Status take_results(uint64_t bytes_each, uint32_t& damaged_worker);
  // Now and then: fails when a shared word is damaged, or a job has been lost between them. Ends
  // workers that are still at what they had answered before the last call, and those that have a
  // job in hand whose method's deadline is over.
  [[nodiscard]] Status audit();
  bool has_results() const { return port_ != nullptr && port_->was_any_result(); }
  // Around the event loop's wait: has_results() must be asked once more after announce_sleep().
  void announce_sleep() {
    if (port_ != nullptr) port_->announce_sleep();
  }
  void cancel_sleep() {
    if (port_ != nullptr) port_->cancel_sleep();
  }
  // Wakes the workers that what was published since the last call is worth: before each wait.
  void wake_workers();
  // What is published and not done, by what such jobs take on average.
  uint64_t work_ns() const { return dispatch_window_.work_ns(); }
  // There are jobs that nobody has taken, and workers asleep: wake_one_more() should follow soon.
  // (However many are awake: one may be about to leave, or not return.)
  bool could_wake_more() const;
  // Wakes one worker if there is a job that nobody has taken: those that are awake take longer than
  // expected, or a wake-up was lost.
  void wake_one_more();

  // A worker was reaped: what it had in hand has cost an attempt, and is queued again, or fails.
  // Returns those jobs, for the log. `was_ended_by_us`: the worker was ended for another job's
  // sake, so its death is not held against these. on_port_lost(): all of them are gone; `cause` is
  // for people.
  std::vector<LostJob> on_worker_lost(const WorkerExit& death, bool was_ended_by_us);
  void on_port_lost(const std::string& cause);

  // By the worker that is in this slot now.
  uint64_t finished_jobs(uint32_t worker) const;
  // How many jobs are in the ring or with a worker; how many results there have been.
  size_t published_jobs() const { return dispatch_window_.jobs(); }
  uint64_t results() const { return results_; }

 private:
  // So many are published before workers are woken for them, in the midst of other things to do.
  static constexpr size_t kUnwokenMax = 16;

  void learn_from_overrun(const Job& job, uint32_t worker);
  bool are_all_abandoned(const std::vector<ipc::Publication>& in_hand);
  void end_stuck_workers();
  void end_overdue_workers();
  void publish_waiting();
  void fill_header(const Job& job);
  Status audit_words();
  // False: no publication that is with the workers has this result.
  bool on_record(const ipc::ResultReader::Record& record, uint64_t now);
  void on_job_lost(Job& job, const std::string& cause);

  rpc::Error error_of(const Job& job, const ipc::ResultReader::Record& record) const;

  ipc::PayloadStore& store_;
  JobTable& table_;
  Admission& admission_;
  uint64_t result_bytes_;  // the longest result
  StageEvents& events_;
  KillWorker kill_worker_;
  OnCrash on_crash_ = [](const Job&) {};
  DeadlineQueue queue_;
  ipc::MasterPort* port_ = nullptr;
  DispatchWindow dispatch_window_;        // jobs in the ring or with a worker
  size_t unwoken_ = 0;                    // published since the last wake_workers()
  std::vector<uint64_t> finished_;        // by worker slot, as far as any has finished one
  std::vector<uint64_t> last_result_ns_;  // by worker slot: when it gave its last one
  uint64_t results_ = 0;                  // of all workers that there have been
  uint64_t results_seen_ = 0;             // at the last end_abandoned()
  bool did_jobs_wait_ = false;            // likewise
  uint64_t next_end_abandoned_ns_ = 0;
  // By worker slot: the first of those that it had answered at the last audit, if it was not
  // done with them.
  std::vector<std::optional<ipc::Publication>> answered_;
  struct Damage {
    uint32_t worker;
    Error error;
  };
  std::optional<Damage> damage_;  // of this generation's memory
};

}  // namespace ringmaster::master
