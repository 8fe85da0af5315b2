// RunStage: runs a job's run steps: queue -> ring -> worker -> result.
//
// The scheduler holds the jobs that wait. Only as many as the workers can claim soon are published
// to the ring (worker_load.h).
// Processes: the master only.
// Death:     on_worker_lost() is called once a dead worker was reaped: its jobs are queued again
//            while they have attempts left. If the fork server dies, on_port_lost() does this for
//            the jobs of all workers.
// Trust:     results are matched with the table. A result that belongs to no published job is
//            damage, and so is a malformed result ring. audit() checks the words.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/telemetry/recorder.h"
#include "config/options.h"
#include "ipc/master_port.h"
#include "master/pipeline/job.h"
#include "master/pipeline/stage_events.h"
#include "master/pipeline/tail_profile.h"
#include "master/pipeline/worker_exit.h"
#include "master/scheduler/scheduler.h"

namespace ringmaster::master {

class RunStage {
 public:
  // Ends this worker. `why`: "deadline": a job has overrun its method's deadline; "abandoned":
  // other jobs wait, see end_abandoned(); "stuck": its handler does not return.
  using KillWorker = std::function<void(uint32_t worker, const char* why)>;
  // Called before a job fails that has no attempts left because its workers died.
  using OnCrash = std::function<void(const Job& job)>;
  // Called at most once a generation: a worker has damaged its results, or a process has damaged a
  // shared word. From then on no result is taken and no job published, until set_port().
  using OnDamage = std::function<void(const Error& error)>;

  RunStage(ipc::PayloadStore& store, JobTable& table, Scheduler& scheduler,
           const ipc::Geometry& geometry, StageEvents& events, KillWorker kill_worker,
           telemetry::Recorder& recorder);

  // Queues the job for its current step.
  void start(Job& job, uint64_t now_ns);

  // Takes the job out of the stage if no worker has it. False: a worker has it, or had it briefly.
  [[nodiscard]] bool try_drop(Job& job);

  // For take_results(): to take so many bytes is quick, so no client waits for long.
  static constexpr uint64_t kTakenAtOnceBytes = 1 << 20;
  static constexpr uint64_t kAllBytes = ~uint64_t{0};

  enum class Expired {
    kDropped,    // the job had not begun to run; it is in no stage any more
    kMovedOn,    // the job's result had come, and has been delivered: look again
    kAbandoned,  // a worker has it: on_released() follows when it is done or lost
  };
  Expired expire(Job& job);

  // Ends the worker that has this abandoned job in hand. If none is found, audit() looks again.
  void end_worker_of(const Job& job, const char* why = "deadline");
  // Each tick: ends one worker that has only abandoned jobs in hand, if another job has waited and
  // no result has come since the last tick. At most one worker in kEndAbandonedNs.
  void end_abandoned(uint64_t now_ns);
  static constexpr uint64_t kEndAbandonedNs = 1'000'000'000;

  void set_on_crash(OnCrash on_crash) { on_crash_ = std::move(on_crash); }
  void set_on_damage(OnDamage on_damage) { on_damage_ = std::move(on_damage); }
  // The generation's port, and how many of its workers are up.
  void set_port(ipc::MasterPort* port);
  void set_workers(size_t count);

  // Delivers the workers' results, about `bytes` bytes in all.
  void take_results(uint64_t bytes);
  // Call once a second. Checks the shared words: a published job that no word names is damage, too.
  // Ends workers that still hold jobs that they had answered before the last call, and workers that
  // have a job in hand whose method's deadline is over.
  void audit();
  // Whether a result has come in this turn that may have been one of a batch.
  bool had_batch_results() const { return batch_turn_ == turn_; }
  bool has_results() const { return port_ != nullptr && !is_damaged_ && port_->was_any_result(); }
  // Around the event loop's wait: call has_results() once more after announce_sleep().
  void announce_sleep(ipc::MasterBell::Sleep sleep) {
    if (port_ != nullptr) port_->announce_sleep(sleep);
  }
  void cancel_sleep() {
    if (port_ != nullptr) port_->cancel_sleep();
  }
  // Before each wait: if jobs were published since the last call, wakes the workers that they need.
  void wake_workers();
  // The expected run time of all jobs that are published and not done.
  uint64_t work_ns() const { return static_cast<uint64_t>(scheduler_.load().work_ns()); }
  // There are unclaimed jobs and sleeping workers: wake_one_more() should follow soon. (The workers
  // that are awake may be about to leave, or their handlers may not return.)
  bool could_wake_more() const;
  // Wakes one worker if a job is unclaimed: the workers that are awake take longer than expected,
  // or a wake-up was lost.
  void wake_one_more();

  // A worker was reaped: the jobs that it had in hand have used an attempt, and are queued again,
  // or fail. Returns these jobs, for the log. `was_ended_by_us`: the master ended the worker, so
  // its death is not added to the jobs' deaths.
  std::vector<LostJob> on_worker_lost(const WorkerExit& death, bool was_ended_by_us);
  // All workers are gone. `cause`: for people. `death`: set if the fork server ran the handlers
  // itself (ipc::Confinement::is_inline), and crashed.
  void on_port_lost(const std::string& cause,
                    const std::optional<WorkerExit>& death = std::nullopt);

  // The request for which a worker has printed something. `request` 0: it is not known.
  struct Printer {
    uint64_t request = 0;
    const Method* method = nullptr;
    bool operator==(const Printer&) const = default;
  };
  // Call right after the worker's output was read. The request is known if the worker had only one
  // request in hand since the event loop last polled. May deliver results.
  Printer find_printer(uint32_t worker);
  // Whether the worker has the request in hand, or had it since the event loop last polled.
  bool has_in_hand(uint32_t worker, uint64_t request);
  // Call after each poll of the event loop.
  void begin_turn() { ++turn_; }

  // The job that the worker has in hand; of a batch, the first one.
  struct InHand {
    const Method* method = nullptr;  // null: no job, or one that is answered already
    uint64_t since_ns = 0;           // when it was published
    uint64_t admitted_ns = 0;
    uint64_t request = 0;
    bool is_answered = false;  // although the worker runs it
  };
  InHand in_hand(uint32_t worker) const;
  // The profile of this generation.
  const TailProfile& tail_profile() const { return tail_profile_; }

  // How many jobs the worker now in this slot has finished.
  uint64_t finished_jobs(uint32_t worker) const;
  // Jobs in the ring or with a worker; results so far.
  size_t published_jobs() const { return scheduler_.load().jobs(); }
  uint64_t results() const { return results_; }

 private:
  // After so many publications workers are woken at once, not only before the wait.
  static constexpr size_t kUnwokenMax = 16;

  // The worker that has the job's publication in hand.
  std::optional<uint32_t> find_worker_of(const Job& job);
  // Among the workers that have only abandoned jobs in hand, and for which other jobs wait: the job
  // in hand whose deadline was first. Null: there is no such worker.
  const Job* longest_abandoned();
  void note_timeout(const Job& job, uint32_t worker);
  void learn_from_overrun(const Job& job, uint32_t worker);
  void end_stuck_workers();
  void end_overdue_workers();
  void publish_waiting();
  void fill_header(const Job& job, size_t taken_together);
  void queue(Job& job, uint64_t now_ns);
  void record_queued(Job& job);
  void audit_words();
  void on_damaged(const Error& error);
  // False: the result belongs to no publication that is with the workers.
  bool on_record(uint32_t worker, const ipc::ResultReader::Record& record, uint64_t now);
  void on_job_lost(Job& job, const std::string& cause, uint64_t now_ns);
  void profile(const TailProfile::Run& run, ipc::Publication id, bool has_failed);

  rpc::Error error_of(const Job& job, const ipc::ResultReader::Record& record) const;

  ipc::PayloadStore& store_;
  JobTable& table_;
  Scheduler& scheduler_;
  size_t ahead_jobs_max_;  // if so many are published, only an idle worker gets more: one unit
  uint64_t result_bytes_;  // the longest result
  bool is_profiled_;
  StageEvents& events_;
  KillWorker kill_worker_;
  telemetry::Recorder& recorder_;
  OnCrash on_crash_ = [](const Job&) {};
  OnDamage on_damage_ = [](const Error&) {};
  ipc::MasterPort* port_ = nullptr;
  size_t unwoken_ = 0;              // published since the last wake_workers()
  std::vector<uint64_t> finished_;  // by worker slot, up to the last with a finished job
  struct LastResult {
    uint64_t at_ns = 0;
    ipc::Publication id;
    uint64_t request = 0;
    const Method* method = nullptr;
    uint64_t turn = 0;   // of the event loop
    uint64_t count = 0;  // of the worker's results in that turn
  };
  std::vector<LastResult> last_results_;  // by worker slot
  uint64_t turn_ = 1;
  uint64_t batch_turn_ = 0;     // the last turn with a result of a handler that takes batches
  uint64_t results_ = 0;        // of all workers so far
  uint64_t results_seen_ = 0;   // at the last end_abandoned()
  bool did_jobs_wait_ = false;  // at the last end_abandoned(), too
  uint64_t next_end_abandoned_ns_ = 0;
  // By worker slot: the first of the jobs in hand at the last audit, if the worker had answered all
  // of these jobs.
  std::vector<std::optional<ipc::Publication>> answered_;
  // For the audit; kept, since to allocate it takes longer than to look at the words.
  std::vector<ipc::Publication> with_workers_;
  bool is_damaged_ = false;  // this generation's memory
  TailProfile tail_profile_;
};

}  // namespace ringmaster::master
