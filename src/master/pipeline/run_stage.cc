#include "master/pipeline/run_stage.h"

#include <algorithm>
#include <fmt/format.h>
#include <thread>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "ipc/result_code.h"
#include "rpc/handler_error.h"

namespace ringmaster::master {

using telemetry::EventKind;

namespace {

// The most CPU time that a step can have used: a broken worker may report any number.
uint64_t cpu_ns_max(uint64_t since_ns) {
  static const uint64_t cpus = std::max(1u, std::thread::hardware_concurrency());
  return since_ns * cpus;
}

// ipc does not depend on rpc, so it defines these codes a second time.
static_assert(int32_t{ipc::kResultTooLate} == rpc::kDeadlineExceeded);
static_assert(int32_t{ipc::kResultTooLarge} == rpc::kResponseTooLarge);
static_assert(int32_t{ipc::kResultInvalid} == rpc::kInternalError);

const RunStep& run_step(const Job& job) {
  return std::get<RunStep>(job.method->steps[job.step]);
}

// A handler's crash costs an attempt of every job in its batch. So a job that has lost a worker, or
// has one attempt only, is run alone.
bool is_run_alone(const Job& job) {
  return job.attempts > 0 || attempts_max(job) == 1;
}

}  // namespace

RunStage::RunStage(ipc::PayloadStore& store, JobTable& table, Scheduler& scheduler,
                   const ipc::Geometry& geometry, StageEvents& events, KillWorker kill_worker,
                   telemetry::Recorder& recorder)
    : store_(store),
      table_(table),
      scheduler_(scheduler),
      ahead_jobs_max_(geometry.ring_entries / 2),
      result_bytes_(geometry.result_bytes),
      is_profiled_(geometry.samples_stacks != 0),
      events_(events),
      kill_worker_(std::move(kill_worker)),
      recorder_(recorder) {}

void RunStage::start(Job& job, uint64_t now_ns) {
  job.attempts = 0;
  job.deaths.clear();
  queue(job, now_ns);
  publish_waiting();
  if (job.state == JobState::kQueued) record_queued(job);
}

void RunStage::record_queued(Job& job) {
  record_event(recorder_, job, EventKind::kQueued, job.queued_ns,
               {.step = static_cast<uint8_t>(job.step)});
}

void RunStage::queue(Job& job, uint64_t now_ns) {
  job.state = JobState::kQueued;
  job.queued_ns = now_ns;
  const uint64_t batch = is_run_alone(job) ? 1 : run_step(job).batch;
  scheduler_.on_queued(job.entry, static_cast<uint32_t>(job.step), batch);
}

void RunStage::set_port(ipc::MasterPort* port) {
  port_ = port;
  is_damaged_ = false;
  answered_.clear();
  tail_profile_.clear();
  last_results_.assign(port->worker_slots(), {});
}

void RunStage::set_workers(size_t count) {
  scheduler_.set_workers(count, now_ns());
  publish_waiting();
}

void RunStage::publish_waiting() {
  if (port_ == nullptr || is_damaged_) return;
  const uint64_t now = now_ns();
  for (;;) {
    const WorkerLoad& load = scheduler_.load();
    const bool is_enough = load.jobs() >= ahead_jobs_max_ && load.idle_workers() == 0;
    if (is_enough && !scheduler_.is_filling(now)) return;
    Entry* entry = scheduler_.next(now);
    if (entry == nullptr) return;
    Job& job = *table_.find(entry->ticket);
    fill_header(job, scheduler_.taken_together(*entry, now));
    const ipc::Publication next{job.publication.job, job.publication.sequence + 1};
    if (!port_->try_publish(next)) return;  // full: tried again when a worker has answered
    job.publication = next;
    job.state = JobState::kPublished;
    job.step_began_ns = now;
    scheduler_.on_published(*entry, now);
    record_event(
        recorder_, job, EventKind::kPublished, now,
        {.took_ns = now - std::min(job.queued_ns, now), .step = static_cast<uint8_t>(job.step)});
    ++job.attempts;
    // A worker that is woken in the middle of a batch may take the half that is there.
    if (++unwoken_ >= kUnwokenMax && !scheduler_.is_filling(now)) wake_workers();
  }
}

void RunStage::wake_workers() {
  if (unwoken_ == 0 || port_ == nullptr) return;
  unwoken_ = 0;
  const size_t awake = port_->were_awake();
  const size_t needed = scheduler_.load().workers_needed();
  if (needed > awake) port_->wake(needed - awake);
}

bool RunStage::could_wake_more() const {
  // The cheap tests first: was_any_ready() reads the whole ring, before each wait.
  return port_ != nullptr && scheduler_.load().jobs() > 0 && port_->was_any_asleep() &&
         port_->was_any_ready();
}

void RunStage::wake_one_more() {
  if (port_ != nullptr && port_->was_any_ready()) port_->wake(1);
}

void RunStage::fill_header(const Job& job, size_t taken_together) {
  static_assert(kMaxSteps <= ipc::kViewsMax);  // the params, and each output but the last
  ipc::JobHeader& header = store_.header(job.publication.job);
  header.deadline_ns = job.deadline_ns;
  header.method_deadline_ns = method_deadline_ns(job);
  // Relaxed: try_publish() releases all of it.
  constexpr auto kRelaxed = std::memory_order_relaxed;
  header.handler.store(static_cast<uint32_t>(run_step(job).handler), kRelaxed);
  header.method = job.entry.method;
  const uint64_t batch = is_run_alone(job) ? 1 : run_step(job).batch;
  header.batch.store(static_cast<uint32_t>(batch), kRelaxed);
  header.taken_together = static_cast<uint32_t>(taken_together);
  header.view_count = static_cast<uint32_t>(job.products.size());
  for (size_t i = 0; i < job.products.size(); ++i) {
    header.views[i] = store_.view(job.products[i].block, job.products[i].size);
  }
  header.id_bytes = job.id_bytes;
  header.traceparent_bytes = job.traceparent_bytes;
  header.measures_cpu = job.report.cost || job.is_chosen;
}

void RunStage::take_results(uint64_t bytes) {
  if (port_ == nullptr || is_damaged_) return;
  const uint64_t now = now_ns();
  const auto take = [this, now](uint32_t worker, const ipc::ResultReader::Record& record) {
    if (worker >= finished_.size()) finished_.resize(worker + 1);
    ++finished_[worker];
    ++results_;
    return on_record(worker, record, now);
  };
  uint32_t worker = 0;
  if (Status taken = port_->drain(take, bytes, worker); !taken) {
    on_damaged({taken.error().exit_code,
                fmt::format("results of worker {}: {}", worker, taken.error().message)});
  }
  publish_waiting();
}

bool RunStage::on_record(uint32_t worker, const ipc::ResultReader::Record& record, uint64_t now) {
  // A worker answers each publication once, before it is reaped. So a result of a former
  // publication is damage, too.
  Job* job = table_.find_published(record.id);
  if (job == nullptr) return false;
  LastResult& last = last_results_[worker];
  const uint64_t count = last.turn == turn_ ? last.count + 1 : 1;
  last = {now, record.id, job->ticket.request, job->method, turn_, count};
  if (run_step(*job).batch > 1) batch_turn_ = turn_;
  if (record.was_run()) job->has_begun = true;
  // Time counts also if no handler was called: to check large params may take long.
  if (const std::optional<uint64_t> used_ns = record.used_ns()) {
    // A job published while these results were taken began after `now`.
    if (now <= job->step_began_ns) now = now_ns();
    const uint64_t since_ns = now - job->step_began_ns;  // caps a wrong run_ns of a broken worker
    job->cpu_ns += std::min(record.cpu_ns, cpu_ns_max(since_ns));
    const uint64_t run_ns = std::min(*used_ns, since_ns);
    if (job->rehearsed != nullptr) {  // teaches nothing: a rehearsal runs at idle priority
      scheduler_.on_returned(job->entry, now);
    } else if (record.was_run()) {
      scheduler_.on_done(job->entry, now, run_ns);
    } else {
      scheduler_.on_not_called(job->entry, now, run_ns);
    }
    record_event(recorder_, *job, EventKind::kRunEnded, now,
                 {.took_ns = run_ns,
                  .code = record.code,
                  .where = static_cast<uint16_t>(worker),
                  .step = static_cast<uint8_t>(job->step)});
    if (record.was_run() && job->rehearsed == nullptr) {
      profile({job->entry.method, job->step, worker, run_ns, job->step_began_ns, now},
              job->publication, record.code != ipc::kResultOk);
    }
  } else {
    scheduler_.on_returned(job->entry, now);
  }
  if (job->state == JobState::kAbandoned) {
    events_.on_released(*job);
  } else if (record.code == ipc::kResultOk) {
    events_.on_result(*job, record.bytes, now);
  } else {
    const bool is_interrupted = record.code == ipc::kResultTooLate && record.was_run();
    if (is_interrupted) note_timeout(*job, worker);
    events_.on_step_failed(*job, job->step, error_of(*job, record));
  }
  return true;
}

void RunStage::profile(const TailProfile::Run& run, ipc::Publication id, bool has_failed) {
  if (!is_profiled_) return;
  if (const auto kind = tail_profile_.on_run(run, has_failed))
    tail_profile_.add(run, *kind, port_->samples_of(run.worker, id));
}

rpc::Error RunStage::error_of(const Job& job, const ipc::ResultReader::Record& record) const {
  if (record.code == ipc::kResultTooLate) return deadline_exceeded(job);
  return rpc::handler_error(record.code, record.bytes, result_bytes_);
}

bool RunStage::try_drop(Job& job) {
  if (job.state == JobState::kQueued) {
    scheduler_.on_left(job.entry);
    publish_waiting();  // other jobs may have waited behind it
    return true;
  }
  RM_ASSERT(job.state == JobState::kPublished && port_ != nullptr);
  if (!port_->try_withdraw(job.publication)) return false;
  scheduler_.on_returned(job.entry, now_ns());
  publish_waiting();
  return true;
}

RunStage::Expired RunStage::expire(Job& job) {
  if (try_drop(job)) return Expired::kDropped;
  // find_worker_of() goes before take_results(): a worker commits a result before it clears its
  // running word. So if no worker has the job, take_results() finds its result.
  const ipc::Publication id = job.publication;
  const std::optional<uint32_t> worker = find_worker_of(job);
  take_results(kAllBytes);
  if (table_.find_published(id) == nullptr) return Expired::kMovedOn;
  if (!worker && try_drop(job)) return Expired::kDropped;  // a worker gave it back meanwhile
  job.state = JobState::kAbandoned;
  job.has_begun = true;
  if (worker) {
    note_timeout(job, *worker);
    learn_from_overrun(job, *worker);
  } else {  // the next audit finds the worker, or the damage
    std::vector<LogField> fields = {{"job", id.job}};
    append_job_fields(fields, job);
    log(Level::kError, "job_unaccounted", fields);
  }
  return Expired::kAbandoned;
}

// A search notes where it finds each job. So one search is enough for jobs that are looked for at
// the same time, such as those of a batch whose deadline is over.
std::optional<uint32_t> RunStage::find_worker_of(const Job& job) {
  if (port_->was_running(job.seen_with, job.publication)) return job.seen_with;
  std::optional<uint32_t> found;
  port_->see_held([&](uint32_t worker, ipc::Publication id) {
    Job* const held = table_.find_published(id);
    if (held == nullptr) return;
    held->seen_with = worker;
    if (held == &job) found = worker;
  });
  return found;
}

// A client's own deadline costs no worker: it is only counted, among the failed requests.
void RunStage::note_timeout(const Job& job, uint32_t worker) {
  if (job.is_client_deadline) return;
  std::vector<LogField> fields = {{"worker", worker}};
  append_job_fields(fields, job);
  fields.emplace_back("waited_ms", (now_ns() - job.admitted_ns) / kNsPerMs);
  log(Level::kWarning, "timeout", fields);
}

void RunStage::end_worker_of(const Job& job, const char* why) {
  RM_ASSERT(job.state == JobState::kAbandoned);
  // In this order, as in expire().
  const ipc::Publication id = job.publication;
  const std::optional<uint32_t> worker = find_worker_of(job);
  take_results(kAllBytes);
  if (!worker || table_.find_published(id) == nullptr) return;
  learn_from_overrun(job, *worker);
  kill_worker_(*worker, why);
}

// A lower bound of the job's run time: the job began after its publication, and after the worker's
// last result.
void RunStage::learn_from_overrun(const Job& job, uint32_t worker) {
  if (job.rehearsed != nullptr) return;
  const uint64_t begun_ns = std::max(job.step_began_ns, last_results_[worker].at_ns);
  const uint64_t now = now_ns();
  scheduler_.on_still_running(job.entry, now, static_cast<double>(now - begun_ns));
}

// Reads the running words, then takes results: a job that the worker had in hand when it printed is
// named by a running word, or its result is taken now, or was taken since the loop polled last: in
// this turn, or late in the turn before.
RunStage::Printer RunStage::find_printer(uint32_t worker) {
  if (port_ == nullptr) return {};
  const std::vector<ipc::Publication> in_hand = port_->were_running(worker);
  take_results(kAllBytes);
  const LastResult& last = last_results_[worker];
  Printer found;
  uint64_t count = 0;
  const auto consider = [&](uint64_t request, const Method* method, uint64_t times) {
    const bool is_another_method = count > 0 && found.method != method;
    count += times;
    found = {count == 1 ? request : 0, is_another_method ? nullptr : method};
  };
  const bool is_recent = last.turn + 1 >= turn_;
  if (is_recent) consider(last.request, last.method, last.count);
  for (const ipc::Publication id : in_hand) {
    if (const Job* job = table_.find_published(id)) {
      consider(job->ticket.request, job->method, 1);
    } else if (id == last.id && !is_recent) {  // answered, and not returned yet
      consider(last.request, last.method, 1);
    }
  }
  return found;
}

bool RunStage::has_in_hand(uint32_t worker, uint64_t request) {
  if (port_ == nullptr) return false;
  const std::vector<ipc::Publication> in_hand = port_->were_running(worker);
  take_results(kAllBytes);
  const LastResult& last = last_results_[worker];
  if (last.turn + 1 >= turn_ && last.request == request) return true;
  return std::any_of(in_hand.begin(), in_hand.end(), [&](ipc::Publication id) {
    const Job* job = table_.find_published(id);
    return job != nullptr ? job->ticket.request == request
                          : id == last.id && last.request == request;
  });
}

RunStage::InHand RunStage::in_hand(uint32_t worker) const {
  if (port_ == nullptr) return {};
  for (const ipc::Publication id : port_->were_running(worker)) {
    const Job* job = table_.find_published(id);
    if (job == nullptr) continue;
    return {job->method, job->step_began_ns, job->admitted_ns, job->ticket.request,
            job->caller == nullptr};
  }
  return {};
}

uint64_t RunStage::finished_jobs(uint32_t worker) const {
  return worker < finished_.size() ? finished_[worker] : 0;
}

}  // namespace ringmaster::master
