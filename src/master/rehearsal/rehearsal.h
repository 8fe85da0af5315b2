// Rehearsal: before a new deployment serves, its first worker runs recent jobs of the serving one,
// one at a time, as ordinary jobs of its own dispatcher. Their answers go to a Comparison instead
// of to a client. Upstreams are not asked: a fetch step gets the body that was fetched before.
//
// Processes: the master only. The worker runs them at idle priority (SCHED_IDLE), so that the
//            serving workers keep their CPU time. The comparison works in a thread of libuv's pool:
//            it may take tens of milliseconds.
// Death:     if the worker dies with a job in hand, the new deployment is refused at once. If the
//            fork server dies, or the master has ended the worker, the job is run once more.
// Limits:    limit_ms in all. After that, or once the worker has got too little CPU time for a job
//            to end before its deadline, the rehearsal ends, and the runs so far are judged.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <uv.h>
#include <vector>

#include "master/pipeline/dispatcher.h"
#include "master/rehearsal/comparison.h"

namespace ringmaster::master {

class Rehearsal {
 public:
  // The jobs of one method.
  struct Part {
    const Method* method;  // of the new deployment
    RecentJobs::Kept jobs;
    bool compares_cpu;
  };
  // The pid of the worker that is up; 0: none is now, or it is being killed.
  using WorkerPid = std::function<pid_t()>;

  // `dispatcher` and the methods must outlive the rehearsal.
  Rehearsal(uv_loop_t* loop, Dispatcher& dispatcher, std::vector<Part> parts, uint64_t limit_ms,
            WorkerPid worker_pid);
  // Ends the worker of a job that runs.
  ~Rehearsal();
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;

  // Call in each turn of the event loop: begins the next job. True: the rehearsal is over.
  [[nodiscard]] bool advance();
  // Why the new deployment must not serve, for people. Empty: it may. REQUIRES: advance() was true.
  const std::string& refusal() const { return refusal_; }

 private:
  class Listener;
  struct Work;
  using Note = std::function<void(Comparison&)>;

  const RecentJob& job() const { return *parts_[part_].jobs[job_]; }
  void start_job();
  void on_answer(std::string_view result, uint64_t cpu_ns);
  void on_error(const rpc::Error& error);
  void on_lost(const rpc::Error& error);
  void compare(Note note);
  void start_work(Note note, bool judges);
  void on_work_done(Work& done);
  void end_method();
  void abandon_job();
  void give_up_late();
  bool is_starved() const;
  void cut_short(std::string_view why);
  void refuse(const Comparison::Refusal& refusal);
  void refuse_job(const std::string& what);
  void end();

  uv_loop_t* loop_;
  Dispatcher& dispatcher_;
  const std::vector<Part> parts_;
  const WorkerPid worker_pid_;
  const uint64_t begun_ns_;
  const uint64_t end_ns_;
  std::shared_ptr<Listener> listener_;
  Comparison comparison_;  // a thread has it while there is work_
  Work* work_ = nullptr;   // it owns itself
  size_t part_ = 0;        // the method that is rehearsed
  size_t job_ = 0;         // the method's job that runs, or is next
  size_t run_ = 0;         // how many jobs were run so far, of all methods
  bool is_second_run_ = false;
  bool is_running_ = false;  // a job runs
  bool was_lost_ = false;    // a job was run once more because its worker was lost
  bool is_cut_short_ = false;
  bool has_ended_ = false;
  uint64_t job_begun_ns_ = 0;
  uint64_t worker_wait_ns_ = 0;  // how long the worker had waited for a CPU when the job began
  uint64_t worker_cpu_ns_ = 0;   // the worker's CPU time when the job began
  std::string refusal_;
};

}  // namespace ringmaster::master
