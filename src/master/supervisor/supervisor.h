// Supervisor: keeps a generation of workers alive: starts it, replaces what dies, ends it.
//
// Processes: the master only. WorkerSlots decides about slots; the supervisor carries the decisions
//            out.
// Death:     if a worker dies, its results are taken, its jobs are queued again, and its slot is
//            forked anew (after a back-off, if it died young). If the fork server dies, the same
//            happens for all workers, in a new generation.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/uv_handle.h"
#include "ipc/handler_spec.h"
#include "ipc/layout.h"
#include "ipc/method_spec.h"
#include "master/pipeline/run_stage.h"
#include "master/supervisor/frozen_watch.h"
#include "master/supervisor/function_names.h"
#include "master/supervisor/generation.h"
#include "master/supervisor/outputs.h"
#include "master/supervisor/stall_watch.h"
#include "master/supervisor/worker_slots.h"
#include "master/system/oom_kills.h"

namespace ringmaster::master {

class Supervisor {
 public:
  struct Setup {
    uv_loop_t* loop;
    ipc::Geometry geometry;  // worker_slots: the most workers
    size_t worker_count;
    bool is_reload;             // another deployment serves until the first generation is ready
    bool is_rehearsing;         // see end_rehearsal()
    uint64_t start_timeout_ms;  // for the first generation to have all its workers up, and for
                                // each generation to load its handlers
    uint64_t max_jobs;          // after which a worker is recycled; 0: no limit
    uint64_t max_rss_bytes;     // growth at which a worker is recycled; 0: no limit
    int payload_memory_fd;
    std::vector<ipc::HandlerSpec> handlers;
    std::vector<ipc::MethodSpec> methods;
    ipc::Confinement confinement;  // of its workers
    bool is_development;           // see outputs.h
    bool watches_slow;             // a method has a slow_ms
    uint32_t& generations;         // how many so far, of all supervisors
    telemetry::Recorder& recorder;
  };
  struct Events {
    // A generation has loaded its handlers: the description of each, see handler.h. Descriptions
    // are unchecked: a handler that loads may write anywhere.
    std::function<void(std::vector<std::string> descriptions)> on_described;
    std::function<void()> on_ready;        // all workers are up, for the first time; again after
                                           // end_rehearsal()
    std::function<void(Error)> on_failed;  // the start failed; all processes are gone
    std::function<void()> on_stopped;      // after stop()
  };

  Supervisor(Setup setup, RunStage& run_stage, Events events);

  [[nodiscard]] Status start();
  // Lets the workers finish the jobs in hand, then ends them; kills them after 5 s (kEndNs).
  void stop();

  // REQUIRES: Setup::is_rehearsing, with one worker, which is at idle priority. It leaves now, and
  // `worker_count` others start, for which start_timeout_ms begins anew.
  void end_rehearsal(size_t worker_count);

  // Kills the worker, which is then replaced. `why`: one word, for the metrics.
  void kill_worker(uint32_t worker, const char* why);
  // One worker more (+1) or fewer (-1), from 1 to the number of slots.
  void change_worker_count(int by);

  const WorkerSlots& worker_slots() const { return worker_slots_; }
  size_t workers_up() const { return worker_slots_.up_count(); }
  size_t workers_wanted() const { return worker_slots_.wanted(); }
  bool is_crash_looping() const { return worker_slots_.crash_looping_count() > 0; }
  // There are jobs, and no worker has been at work for a second.
  bool is_stalled() const { return stall_watch_.is_stalled(); }
  // Why the last load of the handlers failed; the next generation tries again. Empty: it succeeded,
  // or no load has ended yet.
  const std::string& load_failure() const { return load_failure_; }
  // The sandbox's steps that this system refused to the newest generation, for people. Empty: none.
  const std::string& sandbox_lacks() const { return sandbox_lacks_; }
  // Asks the fork server for the names of these functions of the workers, except for those that are
  // known already. False: its answer has not come yet.
  bool try_name(const std::vector<uint64_t>& functions);
  bool is_naming() const { return names_.is_asking(); }
  const FunctionNames& names() const { return names_; }
  // The number of the generation; 0: it has died, and the next one has not started yet.
  uint32_t generation() const { return generation_ != nullptr ? generation_->number() : 0; }
  // 0: there is no fork server now.
  int fork_server_pid() const {
    return generation_ != nullptr ? generation_->fork_server_pid() : 0;
  }
  // The pid of the fork server while it loads handlers; else 0.
  int loading_pid() const {
    return generation_ != nullptr && !is_loaded_ ? generation_->fork_server_pid() : 0;
  }

 private:
  Status start_generation();
  bool is_sane(const ipc::ControlMessage& message) const;
  void on_message(const ipc::ControlMessage& message);
  void on_fork_failed(uint32_t worker, const std::string& why);
  void on_worker_exited(const ipc::ControlMessage& message);
  void on_spare_exited(const ipc::ControlMessage& message);
  void on_gone(const std::string& how);
  void record_ends(const char* why);
  void on_tick();
  // There is one process for all handlers. A person may be stepping through it, so it is not ended
  // before the server is.
  bool is_inline() const { return setup_.confinement.is_inline != 0; }
  void end_processes();
  void hurry_late_load();
  void give_up_starting_late();
  void recycle();
  const char* why_recycle(uint32_t worker) const;
  void audit();
  void condemn(const Error& error);
  void look_at_workers();
  void signal_worker(uint32_t worker, int signal);
  void fork_due();
  void watch_workers();
  bool has_job_waited();
  void watch_worker(uint32_t worker, bool does_job_wait);
  void end_overstayed(uint32_t worker);
  void note_stopped(uint32_t worker, bool has_finished);
  void end_frozen(uint32_t worker, const ProcessLook& look, const char* cause);
  uint32_t limit_ticks(uint32_t worker) const;
  void look_for_slow();
  void on_stack(const ipc::ControlMessage& message);
  void watch_fork_server();
  void watch_for_stall();
  bool is_any_at_work() const;
  Outputs::Events output_events();
  std::vector<LogField> name_process(uint32_t source) const;

  // The word for the metrics: why this worker has ended.
  std::string why_ended(const WorkerExit& death, bool was_killed_by_us) const;

  // Why the worker of a rehearsal is ended. The metrics do not count its end.
  static constexpr const char* kRehearsed = "rehearsed";

  struct WatchedWorker {
    int32_t pid = 0;
    uint64_t finished_jobs = 0;  // at the last tick
    FrozenWatch watch;
    FrozenWatch claim_watch;  // counts the ticks at which the worker left a job unclaimed
    uint32_t job_ticks = 0;   // since it took a job, or last finished one
    bool is_stopped = false;  // in a job, as far as the last look tells
    uint32_t leaving_ticks = 0;
    uint64_t finished_until_leaving = 0;
    const char* why_ended = nullptr;  // why the master ended the worker; null: it did not
    uint64_t slow_request = 0;        // the last one for which the worker was asked for its stack
    uint64_t next_ask_ns = 0;         // the earliest time of the next question
    bool is_asked = false;            // the worker has not answered the last question yet
  };

  Setup setup_;
  RunStage& run_stage_;
  Events events_;
  WorkerSlots worker_slots_;
  OomKills oom_kills_;
  Outputs outputs_;
  std::vector<std::string> descriptions_;  // of the handlers loaded so far
  std::unique_ptr<Generation> generation_;
  uint64_t started_ns_ = 0;
  size_t looked_at_ = 0;  // the worker whose memory was measured last
  uint64_t generation_started_ns_ = 0;
  uint64_t restart_due_ns_ = 0;
  uint64_t hurry_due_ns_ = 0;
  uint64_t audit_due_ns_ = 0;
  uint64_t end_due_ns_ = 0;         // when a stop kills the processes that are left
  uint32_t young_generations_ = 0;  // how many in a row ended soon
  std::string sandbox_lacks_;
  std::optional<Error> failure_;  // the fork server's error, or why it was killed
  std::string load_failure_;
  std::vector<WatchedWorker> watched_;           // by worker slot
  std::optional<ipc::Publication> waiting_job_;  // unclaimed at the last tick
  FunctionNames names_;                          // of this generation's functions
  FrozenWatch fork_server_watch_;
  StallWatch stall_watch_;
  uint32_t ticks_until_ping_ = 0;
  bool is_ping_unanswered_ = false;
  bool was_fork_server_heard_ = false;  // since the last tick
  bool is_loaded_ = false;
  bool was_ready_ = false;
  bool is_stopping_ = false;
  UvHandle<uv_timer_t> tick_;
};

}  // namespace ringmaster::master
