// RunStage: jobs that were lost with a worker; the audit that finds damage early.
#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "master/pipeline/run_stage.h"

namespace ringmaster::master {

using telemetry::EventKind;

void RunStage::audit() {
  if (port_ == nullptr || is_damaged_) return;
  audit_words();
  if (is_damaged_) return;
  end_stuck_workers();
  end_overdue_workers();
}

void RunStage::audit_words() {
  with_workers_.clear();
  table_.for_each_used([this](const Job& job) {
    if (is_with_workers(job)) with_workers_.push_back(job.publication);
  });
  const auto is_published = [this](ipc::Publication id) {
    return table_.find_published(id) != nullptr;
  };
  std::vector<bool> is_named(table_.capacity());
  const Status sane = port_->audit(is_published, [&](ipc::Publication id) {
    if (is_published(id)) is_named[id.job] = true;
  });
  if (!sane) return on_damaged(sane.error());
  take_results(kAllBytes);
  if (is_damaged_) return;
  for (const ipc::Publication id : with_workers_) {
    if (!is_named[id.job] && is_published(id)) {
      return on_damaged({ExitCode::kInternal, fmt::format("no word names job {}", id.job)});
    }
  }
}

void RunStage::on_damaged(const Error& error) {
  is_damaged_ = true;
  on_damage_(error);
}

// No deadline ends a handler that has answered and does not return.
void RunStage::end_stuck_workers() {
  answered_.resize(port_->worker_slots());
  for (uint32_t worker = 0; worker < answered_.size(); ++worker) {
    const std::vector<ipc::Publication> in_hand = port_->were_running(worker);
    const bool is_done = std::none_of(
        in_hand.begin(), in_hand.end(),
        [this](ipc::Publication running) { return table_.find_published(running) != nullptr; });
    const auto id = is_done && !in_hand.empty() ? std::optional(in_hand.front()) : std::nullopt;
    const bool is_stuck = id && answered_[worker] == id;
    answered_[worker] = is_stuck ? std::nullopt : id;
    if (!is_stuck) continue;
    const LastResult& last = last_results_[worker];
    log(Level::kWarning, "worker_stuck",
        {{"worker", worker},
         {"request", last.request},
         {"method", last.method != nullptr ? last.method->name : ""}});
    kill_worker_(worker, "stuck");
  }
}

// The search at the deadline may have found no worker: one worker gave the job back while another
// claimed it. kill_worker_ does nothing for a worker that is being ended already.
void RunStage::end_overdue_workers() {
  const uint64_t now = now_ns();
  for (const ipc::Publication id : with_workers_) {
    const Job* const job = table_.find_published(id);
    if (job == nullptr || job->state != JobState::kAbandoned) continue;
    if (now < method_deadline_ns(*job)) continue;
    if (const auto worker = find_worker_of(*job)) kill_worker_(*worker, "deadline");
  }
}

void RunStage::end_abandoned(uint64_t now_ns) {
  const bool do_jobs_wait = scheduler_.load().jobs() > 0 && port_ != nullptr &&
                            (scheduler_.queued_jobs() > 0 || port_->was_any_ready());
  const bool has_moved = std::exchange(results_seen_, results_) != results_;
  const bool have_waited = std::exchange(did_jobs_wait_, do_jobs_wait) && do_jobs_wait;
  if (!have_waited || has_moved || now_ns < next_end_abandoned_ns_) return;
  const Job* const job = longest_abandoned();
  if (job == nullptr) return;
  next_end_abandoned_ns_ = now_ns + kEndAbandonedNs;
  std::vector<LogField> fields = {{"worker", job->seen_with}};
  append_job_fields(fields, *job);
  fields.emplace_back("why", "other jobs wait");
  log(Level::kWarning, "abandoned_job_ended", fields);
  end_worker_of(*job, "abandoned");
}

const Job* RunStage::longest_abandoned() {
  struct Abandoned {
    const Job* longest = nullptr;
    bool has_others = false;  // jobs that are not abandoned
  };
  std::vector<Abandoned> workers(port_->worker_slots());
  const bool is_any_ready = port_->was_any_ready();
  port_->see_held([&](uint32_t worker, ipc::Publication id) {
    Job* const job = table_.find_published(id);
    if (job == nullptr) return;
    Abandoned& in_hand = workers[worker];
    job->seen_with = worker;
    if (job->state != JobState::kAbandoned) {
      in_hand.has_others = true;
    } else if (is_any_ready || scheduler_.does_any_wait_for(job->entry)) {
      if (in_hand.longest == nullptr || job->deadline_ns < in_hand.longest->deadline_ns)
        in_hand.longest = job;
    }
  });
  const Job* found = nullptr;
  for (const Abandoned& in_hand : workers) {
    if (in_hand.longest == nullptr || in_hand.has_others) continue;
    if (found == nullptr || in_hand.longest->deadline_ns < found->deadline_ns)
      found = in_hand.longest;
  }
  return found;
}

std::vector<LostJob> RunStage::on_worker_lost(const WorkerExit& death, bool was_ended_by_us) {
  const std::vector<ipc::Publication> ids = port_->take_over(death.worker);  // each once
  if (death.worker < finished_.size()) finished_[death.worker] = 0;
  std::vector<LostJob> lost;
  const uint64_t now = now_ns();
  const auto count = std::count_if(ids.begin(), ids.end(), [this](ipc::Publication id) {
    return table_.find_published(id) != nullptr;
  });
  for (const ipc::Publication id : ids) {
    // A word may name an answered publication, whose job may be at its next step with another
    // worker by now.
    Job* job = table_.find_published(id);
    if (job == nullptr) continue;
    lost.emplace_back();
    append_job_fields(lost.back().job, *job);
    lost.back().attempt = job->attempts;
    if (!was_ended_by_us) job->deaths.push_back(death);
    job->has_begun = true;
    const uint64_t begun_ns = std::max(job->step_began_ns, last_results_[death.worker].at_ns);
    const uint64_t used_ns = (now - std::min(begun_ns, now)) / static_cast<uint64_t>(count);
    scheduler_.on_lost(job->entry, now, used_ns);
    record_event(recorder_, *job, EventKind::kLost, now,
                 {.took_ns = now - std::min(job->step_began_ns, now),
                  .where = static_cast<uint16_t>(death.worker),
                  .step = static_cast<uint8_t>(job->step)});
    if (is_profiled_ && job->rehearsed == nullptr) {
      const auto kind = was_ended_by_us ? TailProfile::kSlow : TailProfile::kFailed;
      tail_profile_.add(
          {job->entry.method, job->step, death.worker, used_ns, job->step_began_ns, now}, kind,
          port_->samples_of(death.worker, id));
    }
    on_job_lost(*job, death.how, now);
  }
  publish_waiting();
  return lost;
}

void RunStage::on_port_lost(const std::string& cause, const std::optional<WorkerExit>& death) {
  take_results(kAllBytes);
  // A job that can still be withdrawn was never claimed: it has used no attempt. In damaged memory
  // that is not certain, so there each job may have been run.
  ipc::MasterPort& port = *std::exchange(port_, nullptr);
  const uint64_t now = now_ns();
  scheduler_.set_workers(0, now);
  finished_.clear();
  table_.for_each_used([&](Job& job) {
    if (!is_with_workers(job)) return;
    if (!is_damaged_ && port.try_withdraw(job.publication)) {
      --job.attempts;
      scheduler_.on_returned(job.entry, now);
    } else {
      job.has_begun = true;
      if (death && !is_damaged_) job.deaths.push_back(*death);
      const uint64_t used_ns = now - std::min(job.step_began_ns, now);
      scheduler_.on_lost(job.entry, now, used_ns);
      record_event(recorder_, job, EventKind::kLost, now,
                   {.took_ns = used_ns,
                    .where = telemetry::kNowhere,
                    .step = static_cast<uint8_t>(job.step)});
    }
    on_job_lost(job, cause, now);
  });
  RM_ASSERT(scheduler_.load().jobs() == 0);
}

void RunStage::on_job_lost(Job& job, const std::string& cause, uint64_t now_ns) {
  if (job.caller == nullptr) return events_.on_released(job);  // no client waits for it
  if (job.attempts < attempts_max(job)) {
    queue(job, now_ns);
    return record_queued(job);
  }
  if (!job.deaths.empty()) on_crash_(job);
  rpc::Error error =
      rpc::make_error(rpc::kWorkerDied, "worker_died",
                      fmt::format("the worker died ({}) while it ran this job, attempt {} of {}",
                                  cause, job.attempts, attempts_max(job)));
  error.retryable = job.deaths.empty();  // a job that crashed each attempt would crash the next
  events_.on_step_failed(job, job.step, error);
}

}  // namespace ringmaster::master
