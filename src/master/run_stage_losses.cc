// RunStage: jobs that were lost with a worker, and what finds damage before it loses more.
#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "master/run_stage.h"

namespace ringmaster::master {

Status RunStage::audit() {
  if (port_ == nullptr) return {};
  std::vector<std::pair<ipc::JobId, size_t>> with_workers;  // and the step that each is at
  table_.for_each_used([&](const Job& job) {
    if (is_with_workers(job)) with_workers.emplace_back(job.id, job.step);
  });
  const Result<std::vector<ipc::JobId>> named = port_->audit([this](ipc::JobId id) {
    const Job* job = table_.find(id);
    return job != nullptr && is_with_workers(*job);
  });
  if (!named) return tl::unexpected(named.error());
  uint32_t damaged_worker = 0;
  if (Status taken = take_results(kAllBytes, damaged_worker); !taken) return taken;
  for (const auto& [id, step] : with_workers) {
    const Job* job = table_.find(id);
    const bool is_waited_for = job != nullptr && job->step == step && is_with_workers(*job);
    if (is_waited_for && std::find(named->begin(), named->end(), id) == named->end()) {
      return fail(ExitCode::kInternal, fmt::format("no word names job {}", id.job));
    }
  }
  end_stuck_workers();
  return {};
}

// A handler that has answered and does not return has no deadline any more that could end it.
void RunStage::end_stuck_workers() {
  answered_.resize(port_->worker_slots());
  for (uint32_t worker = 0; worker < answered_.size(); ++worker) {
    const std::vector<ipc::JobId> in_hand = port_->were_running(worker);
    const bool is_done = std::none_of(in_hand.begin(), in_hand.end(), [this](ipc::JobId running) {
      const Job* job = table_.find(running);
      return job != nullptr && is_with_workers(*job);
    });
    const auto id = is_done && !in_hand.empty() ? std::optional(in_hand.front()) : std::nullopt;
    const bool is_stuck = id && answered_[worker] == id;
    answered_[worker] = is_stuck ? std::nullopt : id;
    if (!is_stuck) continue;
    log(Level::kWarning, "worker_stuck", {{"worker", worker}, {"job", id->job}});
    kill_worker_(worker);
  }
}

std::vector<LostJob> RunStage::on_worker_lost(const WorkerDeath& death, bool was_ended_by_us) {
  const std::vector<ipc::JobId> ids = port_->take_over(death.worker);
  if (death.worker < finished_.size()) finished_[death.worker] = 0;
  std::vector<LostJob> lost;
  for (const ipc::JobId id : ids) {
    // Two words of the worker may name the same job, and a job that was answered may still be
    // named: what is in the hands of nobody is not lost.
    Job* job = table_.find(id);
    if (job != nullptr && is_with_workers(*job)) {
      lost.push_back({id.job, job->method->name, job->attempts});
      if (!was_ended_by_us) job->deaths.push_back(death);
      on_job_lost(*job, !was_ended_by_us, death.how);
    }
  }
  publish_waiting();
  return lost;
}

void RunStage::on_port_lost(const std::string& cause) {
  uint32_t damaged_worker = 0;
  [[maybe_unused]] const Status taken = take_results(kAllBytes, damaged_worker);
  // What can still be withdrawn no worker has ever had: it has not cost an attempt.
  ipc::MasterPort& port = *std::exchange(port_, nullptr);
  backlog_.set_workers(0);
  finished_.clear();
  table_.for_each_used([&](Job& job) {
    const bool was_taken = job.state != JobState::kPublished || !port.try_withdraw(job.id);
    on_job_lost(job, was_taken, cause);
  });
  RM_ASSERT(backlog_.jobs() == 0);
}

void RunStage::on_job_lost(Job& job, bool is_blamed, const std::string& cause) {
  if (!is_with_workers(job)) return;
  backlog_.remove(job.expected_ns);
  if (job.caller == nullptr) return events_.on_released(job);  // nobody waits for it
  if (!is_blamed) --job.attempts;
  if (job.attempts < job.method->attempts) {
    job.state = JobState::kQueued;
    forecast_.on_queued(job.load, *job.method, job.step, job.deadline_ns);
    return queue_.push(job.deadline_ns, job.id);
  }
  if (!job.deaths.empty()) quarantined_(job);
  rpc::Error error =
      rpc::make_error(rpc::kWorkerDied, "worker_died",
                      fmt::format("the worker died ({}) while it ran this, attempt {} of {}", cause,
                                  job.attempts, job.method->attempts));
  error.retryable = true;
  error.executed = rpc::Executed::kUnknown;
  events_.on_step_failed(job, error);
}

}  // namespace ringmaster::master
