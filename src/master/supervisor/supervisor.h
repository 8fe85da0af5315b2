// Supervisor: keeps a generation of workers alive: starts it, replaces what dies, ends it.
//
// Processes: the master only. WorkerSlots decides about slots; the supervisor carries the decisions
//            out.
// Death:     of a worker: its results are taken, its jobs given out again, its slot forked anew
//            (after a back-off, if it died young). Of the fork server: the same for all, with a new
//            one.
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
#include "master/pipeline/run_stage.h"
#include "master/supervisor/frozen_watch.h"
#include "master/supervisor/generation.h"
#include "master/supervisor/loop_wait.h"
#include "master/supervisor/stall_watch.h"
#include "master/supervisor/worker_slots.h"
#include "master/system/oom_kills.h"

namespace ringmaster::master {

class Supervisor {
 public:
  struct Setup {
    uv_loop_t* loop;
    ipc::Geometry geometry;  // its worker_slots are the most workers that there can be
    size_t worker_count;
    uint64_t start_timeout_ms;  // for the first generation to have all its workers up, and for
                                // each one to load
    uint64_t max_jobs;          // of one worker, then it is recycled; 0: no limit
    uint64_t max_rss_bytes;     // likewise
    int payload_memory_fd;
    std::vector<ipc::HandlerSpec> handlers;
    ipc::Confinement confinement;  // of its workers
    uint32_t& generations;         // how many there have been, of all supervisors
  };
  struct Events {
    // A generation has loaded its handlers: what each of them says of itself, see handler.h. Nobody
    // has checked that it is true to that: a handler that loads may write anywhere.
    std::function<void(std::vector<std::string> descriptions)> on_described;
    std::function<void()> on_ready;        // all workers are up, for the first time
    std::function<void(Error)> on_failed;  // that did not come to be; everything is gone again
    std::function<void()> on_stopped;      // after stop()
  };

  Supervisor(Setup setup, RunStage& run_stage, Events events);

  [[nodiscard]] Status start();
  // Lets the workers finish what they have, then ends them: within seconds, one way or the other.
  void stop();

  // For a job that overruns: the worker is replaced.
  void kill_worker(uint32_t worker);
  // One worker more (+1) or fewer (-1), within 1 and the slots that there are.
  void change_worker_count(int by);

  // Around the event loop's wait. Before, and before what is due to clients is sent: wakes workers
  // and takes results.
  void before_wait();
  // The last thing before it: sending may have let in more of what clients had sent. Wakes workers
  // for that, spins for a result where that is worth it, then asks to be woken for one. False:
  // there are some: the loop should not wait.
  bool try_begin_wait();
  void end_wait() { wait_.end(); }

  size_t workers_up() const { return worker_slots_.up_count(); }
  size_t workers_wanted() const { return worker_slots_.wanted(); }
  bool is_crash_looping() const { return worker_slots_.crash_looping_count() > 0; }
  // There are jobs, and no worker has been at work for a second.
  bool is_stalled() const { return stall_watch_.is_stalled(); }
  // Why the newest generation could not load its handlers: it is tried again. Empty: it could.
  const std::string& load_failure() const { return load_failure_; }
  // The steps of the sandbox that the newest generation's workers go without, for people; empty:
  // none.
  const std::string& sandbox_lacks() const { return sandbox_lacks_; }
  // The fork server while it loads handlers; 0: none does.
  int loading_pid() const {
    return generation_ != nullptr && !is_loaded_ ? generation_->fork_server_pid() : 0;
  }

 private:
  Status start_generation();
  bool is_sane(const ipc::ControlMessage& message) const;
  void on_message(const ipc::ControlMessage& message);
  void on_fork_failed(uint32_t worker, const std::string& why);
  void on_worker_exited(const ipc::ControlMessage& message);
  void on_gone(const std::string& how);
  void on_tick();
  void give_up_starting_late();
  void recycle();
  const char* why_recycle(uint32_t worker) const;
  void take_results(uint64_t bytes_each);
  bool has_results() const;
  void audit();
  void condemn(const Error& error);
  void look_at_workers();
  void signal_worker(uint32_t worker, int signal);
  void fork_due();
  void watch_workers();
  bool has_job_waited();
  void watch_worker(uint32_t worker, bool does_job_wait);
  void end_overstayed(uint32_t worker);
  void end_frozen(uint32_t worker, const ProcessLook& look, const char* cause);
  uint32_t limit_ticks(uint32_t worker) const;
  void watch_fork_server();
  void watch_for_stall();
  bool is_any_at_work() const;

  struct WatchedWorker {
    int32_t pid = 0;
    uint64_t finished_jobs = 0;  // at the last tick
    FrozenWatch watch;
    FrozenWatch claim_watch;  // of the ticks for which it has left a published job unclaimed
    uint32_t leaving_ticks = 0;
    uint64_t finished_until_leaving = 0;
  };

  Setup setup_;
  RunStage& run_stage_;
  Events events_;
  WorkerSlots worker_slots_;
  OomKills oom_kills_;
  std::vector<std::string> descriptions_;  // of the handlers that have been loaded so far
  std::unique_ptr<Generation> generation_;
  std::unique_ptr<Generation> gone_;  // destroyed once its last callback has returned
  uint64_t started_ns_ = 0;
  size_t looked_at_ = 0;  // the worker whose size was looked at last
  uint64_t generation_started_ns_ = 0;
  uint64_t restart_due_ns_ = 0;
  uint64_t audit_due_ns_ = 0;
  uint64_t end_due_ns_ = 0;         // once it is stopping
  uint32_t young_generations_ = 0;  // in a row, that were gone soon
  std::string sandbox_lacks_;
  std::optional<Error> failure_;  // what the fork server said, or was killed for, before it went
  std::string load_failure_;
  std::vector<WatchedWorker> watched_;           // by worker slot
  std::optional<ipc::Publication> waiting_job_;  // that no worker had claimed at the last tick
  FrozenWatch fork_server_watch_;
  StallWatch stall_watch_;
  uint32_t ticks_until_ping_ = 0;
  bool is_ping_unanswered_ = false;
  bool was_fork_server_heard_ = false;  // since the last tick
  bool is_loaded_ = false;
  bool is_condemned_ = false;  // its results are damaged: they are not looked at any more
  bool was_ready_ = false;
  bool is_stopping_ = false;
  UvHandle<uv_timer_t> tick_;
  LoopWait wait_;
};

}  // namespace ringmaster::master
