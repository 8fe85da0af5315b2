// Dispatcher: admits requests and walks each one through its method's steps until it is answered.
//
// Processes: the master only.
// Promise:   every admitted request is answered exactly once: with its result, or with an error
//            that says what happened. A refused request is answered before admit() returns.
// Limits:    requests_in_flight requests admitted and not yet answered; payload_memory_bytes for
//            what they carry. Beyond either, a request is refused with -32009, and so is one that
//            could not be done in time: see admission_control.h.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/telemetry/recorder.h"
#include "ipc/payload_store.h"
#include "master/pipeline/fetch_stage.h"
#include "master/pipeline/job.h"
#include "master/pipeline/job_memory.h"
#include "master/pipeline/run_stage.h"
#include "master/pipeline/stage_events.h"
#include "master/scheduler/scheduler.h"

namespace ringmaster::master {

// What may come with a request.
struct RequestExtras {
  ReportAsked report = {};            // whether the caller gets a JobReport
  std::string_view traceparent = {};  // for the handlers, the upstreams and the log
  // Parts of the params: the values that the method's fetches need, in the order of steps and
  // of the names in a step.
  std::span<const std::string_view> found = {};
  uint32_t client_name = 0;      // in the recorder's table, for its events
  std::string_view client = {};  // its name, for ${client.name}
  // The former job that this job repeats for a rehearsal (rehearsal/rehearsal.h): the fetches get
  // the outputs of the former job. Null: a client's request.
  std::shared_ptr<const RecentJob> rehearsed = {};
};

class Dispatcher : private StageEvents {
 public:
  Dispatcher(uv_loop_t* loop, ipc::PayloadStore& store, const ipc::Geometry& geometry,
             std::vector<std::unique_ptr<upstream::Upstream>> upstreams,
             RunStage::KillWorker kill_worker, telemetry::Recorder& recorder);

  // Tells the scheduler of a method before its first request, so that the workers that are reserved
  // for it are kept free from now on. Returns the method's number, by which the scheduler and the
  // workers know it: methods are counted from 0, in the order in which they are added.
  uint32_t add_method(const Method& method);
  // Gives a method its first costs: those that the dispatcher `before` has measured for its method
  // `its`.
  void adopt_costs(const Method& method, const Dispatcher& before, const Method& its);

  // Keeps so many recent jobs of each method that may be rehearsed; 0: none.
  void keep_recent(size_t count);
  const RecentJobs::Kept& recent(const Method& method) const;
  // Takes the recent jobs of `its`, a method of `before`. REQUIRES: both methods have the same
  // steps.
  void adopt_recent(const Method& method, const Dispatcher& before, const Method& its);
  // See FetchStage.
  void adopt_answers(const Dispatcher& before) { fetch_stage_.adopt_answers(before.fetch_stage_); }

  // The clients that the workers' time is shared among.
  ShareTable& shares() { return scheduler_.shares(); }

  // Begins a request. All texts are copied; `timeout_ms` may shorten the method's own. `client`:
  // the request uses this share; null: a share that all such requests have together. Returns no
  // ticket if `caller` has its answer already.
  std::optional<Ticket> admit(const Method& method, std::string_view params,
                              std::optional<uint64_t> timeout_ms, std::shared_ptr<Caller> caller,
                              ClientShare* client = nullptr, const RequestExtras& extras = {});

  // What the scheduler would predict for a request of this client now.
  Quote quote(const Method& method, const ClientShare& client);

  // Cancels this job, if it still exists; its caller gets no answer. `code`: of the error that the
  // caller sends instead; 0: none, the client is gone. A job that no worker has is dropped. A job
  // that a worker has runs on, within its method's deadline, and its result is thrown away: to stop
  // the job, the master would have to end the worker, and its other jobs. Returns whether a handler
  // may have run for the job.
  rpc::Executed cancel(Ticket ticket, int32_t code = 0);

  // The deadline of this job, if it still exists, is over. The job's timer calls this.
  void expire(Ticket ticket);

  // Answers every job in flight with this error, and ends its fetch or the worker that has it in
  // hand.
  void cut_off_all(const rpc::Error& error);

  RunStage& run_stage() { return run_stage_; }
  const RunStage& run_stage() const { return run_stage_; }
  const FetchStage& fetch_stage() const { return fetch_stage_; }
  const Scheduler& scheduler() const { return scheduler_; }
  size_t in_flight() const { return table_.used(); }
  // Called when the last job in flight has ended.
  void set_on_idle(std::function<void()> on_idle) { on_idle_ = std::move(on_idle); }
  // Called when a job ends that took longer than its method's slow_ms, before its payload is freed.
  void set_on_slow(std::function<void(const Job&)> on_slow) { on_slow_ = std::move(on_slow); }

 private:
  void on_fetched(Job& job, size_t step, uint64_t took_ns) override;
  void on_fetches_done(Job& job, uint64_t now_ns) override;
  void on_result(Job& job, std::string_view result, uint64_t now_ns) override;
  void on_step_failed(Job& job, size_t step, const rpc::Error& error) override;
  void on_released(Job& job) override;

  // Copies what the job needs of its request. An error: the payload memory has no place for it.
  [[nodiscard]] std::optional<rpc::Error> store_request(Job& job, const Caller& caller,
                                                        std::string_view params,
                                                        const RequestExtras& extras);
  rpc::Error limit_reached(std::string reason, std::string message, uint64_t limit) const;
  // The error for a client that holds its part of `all` while others ask for theirs.
  rpc::Error part_used_up(uint64_t part, uint64_t all, std::string_view what) const;
  // Copies the parts, one behind the other, to a block of payload memory. Without bytes there is no
  // block.
  tl::expected<ipc::Block, rpc::Error> store(Job& job,
                                             std::initializer_list<std::string_view> parts);
  void leave_running(Job& job);
  void record_deadline(Job& job, telemetry::Stage stage);
  void begin_step(Job& job, uint64_t now_ns);
  void skip_fetches(Job& job, uint64_t now_ns);
  void keep(const Job& job, std::string_view result, uint64_t now_ns);
  // Answers the job, which neither fetches nor is published, and ends it.
  void fail(Job& job, const rpc::Error& error);
  // `is_deadline`: the job's deadline is over. Else a worker that has the job in hand must end now,
  // even before the method's deadline.
  void cut_off(Job& job, rpc::Error error, bool is_deadline);
  void answer_result(Job& job, std::string_view result, uint64_t now_ns);
  void answer_error(Job& job, rpc::Error error, uint64_t now_ns);
  // Records that the request is answered, or that its client has left. `code` 0: with a result.
  void record_end(Job& job, const Caller& caller, uint64_t now_ns, int32_t code = 0,
                  telemetry::NameId reason = 0);
  void end(Job& job, uint64_t now_ns, bool is_answered = false);

  ipc::PayloadStore& store_;
  JobTable table_;
  JobTimers timers_;
  Scheduler scheduler_;
  JobMemory memory_;
  telemetry::Recorder& recorder_;
  std::unordered_map<const Method*, uint32_t> method_numbers_;
  std::vector<telemetry::NameId> method_names_;  // by number
  std::shared_ptr<ClientShare> everyone_;        // the share of requests without a client
  RecentJobs recent_jobs_{0};
  FetchStage fetch_stage_;
  RunStage run_stage_;
  std::function<void()> on_idle_;
  std::function<void(const Job&)> on_slow_ = [](const Job&) {};
};

}  // namespace ringmaster::master
