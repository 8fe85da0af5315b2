// Job: one admitted request on its way through its method's steps; JobTable: all of them.
//
// The table is authoritative; shared memory is transport. The table alone says which jobs exist,
// which caller waits for each and what memory each holds.
//
// A job has two names. Its *ticket* is its own from admission to its end; callers and the queue
// hold it, and no other process ever sees it. A *publication* (ipc/job_word.h) is what shared
// memory names: each step and each attempt is published under a new one, so a word or a result of a
// former publication finds nothing.
// Processes: the master only.
// Memory:    a slot is made when it is first used, so a large table costs nothing at the start; a
//            job's blocks are freed with it.
// Limits:    `slots` jobs at once.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/telemetry/recorder.h"
#include "config/options.h"
#include "ipc/job_word.h"
#include "ipc/layout.h"
#include "ipc/payload_store.h"
#include "master/pipeline/job_timers.h"
#include "master/pipeline/recent_jobs.h"
#include "master/pipeline/worker_exit.h"
#include "master/scheduler/flow.h"
#include "master/scheduler/quotes.h"
#include "master/scheduler/ticket.h"
#include "rpc/errors.h"
#include "upstream/upstream.h"

namespace ringmaster::master {

// What a client may be told of its job, beside the answer.
struct JobReport {
  uint64_t cpu_ns = 0;  // of its run steps
  Quote quote;          // for the method, now
};

struct ReportAsked {
  bool cost = false;  // the CPU time is measured: that takes system calls
  bool quote = false;

  bool any() const { return cost || quote; }
};

// Receives a job's answer: exactly one call, or none after Dispatcher::cancel().
class Caller {
 public:
  virtual ~Caller() = default;
  // Called just before the answer, if admit() was told to report.
  virtual void on_report(const JobReport&) {}
  // `result` is JSON text, valid during the call only.
  virtual void answer_result(std::string_view result) = 0;
  virtual void answer_error(const rpc::Error& error) = 0;
  // Whether the client has left, as far as is known, so that it will hardly read the answer.
  virtual bool has_left() const { return false; }
  // The request's id as the client wrote it, for handlers and the log; empty: none.
  virtual std::string_view client_id() const { return {}; }
};

enum class JobState : uint8_t {
  kFree,
  kFetching,   // an upstream is asked
  kQueued,     // waits in the queue
  kPublished,  // in the ring or with a worker
  kAbandoned,  // cut off and answered, but a worker may still read its payload
};

struct Job {
  struct Product {  // the params, or a step's output
    ipc::Block block;
    uint64_t size = 0;
  };
  struct Fetching {  // a fetch under way
    Job* job = nullptr;
    upstream::Upstream* upstream = nullptr;
    upstream::Upstream::Fetch fetch = {};  // none: it has ended
    uint64_t began_ns = 0;
  };

  JobState state = JobState::kFree;
  Ticket ticket;
  ipc::Publication publication;  // the latest one; of no use unless is_with_workers()
  const Method* method = nullptr;
  size_t step = 0;  // index of the current step; of parallel fetches, the first
  uint64_t admitted_ns = 0;
  uint64_t deadline_ns = 0;
  ReportAsked report;               // what its caller gets
  uint64_t cpu_ns = 0;              // of its run steps so far
  bool is_client_deadline = false;  // the client asked for less than the method allows
  uint64_t attempts = 0;            // publications of this step that were not withdrawn
  // A worker may have begun to run the job, at any step and attempt, so no error may say that it
  // was not executed. Never unset.
  bool has_begun = false;
  uint64_t queued_ns = 0;          // a run step: when it began to wait for a worker
  uint64_t step_began_ns = 0;      // when it was last published
  uint32_t seen_with = 0;          // the worker that had it at the last search: a hint
  Entry entry;                     // its place in the scheduler, from admission to its end
  std::vector<WorkerExit> deaths;  // of the workers that ran this step
  std::vector<Product> products;   // params first; the vector's own memory is kept for the next job
  uint32_t id_bytes = 0;           // of the request's id: see RequestTexts
  uint32_t traceparent_bytes = 0;  // of the traceparent
  uint32_t client_bytes = 0;       // of the client's name; 0: no fetch uses it
  std::vector<std::string_view> found;  // values in the params, for fetches: RequestExtras::found
  std::array<Fetching, kMaxSteps> fetches;  // by step
  size_t fetches_under_way = 0;
  std::shared_ptr<Caller> caller;              // null once answered, or cancelled
  JobTimers::Timer timer;                      // for the deadline
  telemetry::Trail trail;                      // of its events
  bool is_chosen = false;                      // to be kept once it is answered
  std::shared_ptr<const RecentJob> rehearsed;  // the job that it repeats; null: a client's job
};

// What a job's product says; the first product's is the params.
std::string_view text_of(const ipc::PayloadStore& store, const Job::Product& product);

// The texts of a job's request, which stand one behind the other in the block of the params.
struct RequestTexts {
  std::string_view params;
  std::string_view id;
  std::string_view traceparent;
  std::string_view client;
};
RequestTexts request_of(const ipc::PayloadStore& store, const Job& job);

// Records the next event of a client's job: a rehearsal is in no metrics.
inline void record_event(telemetry::Recorder& recorder, Job& job, telemetry::EventKind kind,
                         uint64_t at_ns, const telemetry::What& what = {}) {
  if (job.rehearsed == nullptr) recorder.record(job.trail, kind, at_ns, what);
}

// Names the job for people: the fields request=, id= (while a client waits for it), method= and
// trace= (the id of the trace that came with it).
void append_job_fields(std::vector<LogField>& fields, const Job& job);

// Whether a worker may have the job in hand.
inline bool is_with_workers(const Job& job) {
  return job.state == JobState::kPublished || job.state == JobState::kAbandoned;
}

// How often a step of the job is run in all if its workers die.
inline uint64_t attempts_max(const Job& job) {
  return job.rehearsed != nullptr ? 1 : job.method->attempts;
}

// The time since its admission. `now_ns` may be earlier: take_results() reads the clock before the
// results.
inline uint64_t took_ns(const Job& job, uint64_t now_ns) {
  return now_ns - std::min(job.admitted_ns, now_ns);
}

// The method's own deadline, also where the client allows less.
inline uint64_t method_deadline_ns(const Job& job) {
  return job.admitted_ns + job.method->timeout_ms * kNsPerMs;
}

// The error -32012. Dispatcher::answer_error() sets whether the job was run.
rpc::Error deadline_exceeded(uint64_t allowed_ms);
inline rpc::Error deadline_exceeded(const Job& job) {
  return deadline_exceeded((job.deadline_ns - job.admitted_ns) / kNsPerMs);
}

class JobTable {
 public:
  JobTable(ipc::PayloadStore& store, uint32_t slots);

  // A fresh job, or null when all slots are taken.
  Job* allocate();
  // Frees the job's blocks, then its slot.
  void free(Job& job);
  // The job with this ticket, if it still exists.
  Job* find(Ticket ticket);
  // The job that is with the workers under this publication now; null for a former one. Safe for
  // any value: a worker may have written it.
  Job* find_published(ipc::Publication id);

  template <class Visit>
  void for_each_used(Visit visit) {
    for (const std::unique_ptr<Job>& job : jobs_)
      if (job->state != JobState::kFree) visit(*job);
  }

  size_t used() const { return jobs_.size() - free_.size(); }
  size_t capacity() const { return capacity_; }

 private:
  ipc::PayloadStore& store_;
  size_t capacity_;
  std::vector<std::unique_ptr<Job>> jobs_;  // by slot
  std::vector<uint32_t> free_;              // the free slots
};

}  // namespace ringmaster::master
