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
  if (!damage_) {
    if (Status sane = audit_words(); !sane && !damage_) damage_ = {0, sane.error()};
  }
  if (damage_) return tl::unexpected(damage_->error);
  end_stuck_workers();
  return {};
}

Status RunStage::audit_words() {
  std::vector<ipc::Publication> with_workers;
  table_.for_each_used([&](const Job& job) {
    if (is_with_workers(job)) with_workers.push_back(job.publication);
  });
  const auto is_published = [this](ipc::Publication id) {
    return table_.find_published(id) != nullptr;
  };
  const Result<std::vector<ipc::Publication>> named = port_->audit(is_published);
  if (!named) return tl::unexpected(named.error());
  uint32_t damaged_worker = 0;
  if (Status taken = take_results(kAllBytes, damaged_worker); !taken) return taken;
  for (const ipc::Publication id : with_workers) {
    const bool is_named = std::find(named->begin(), named->end(), id) != named->end();
    if (is_published(id) && !is_named) {
      return fail(ExitCode::kInternal, fmt::format("no word names job {}", id.job));
    }
  }
  return {};
}

// A handler that has answered and does not return has no deadline any more that could end it.
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
    log(Level::kWarning, "worker_stuck", {{"worker", worker}, {"job", id->job}});
    kill_worker_(worker);
  }
}

std::vector<LostJob> RunStage::on_worker_lost(const WorkerDeath& death, bool was_ended_by_us) {
  const std::vector<ipc::Publication> ids = port_->take_over(death.worker);
  if (death.worker < finished_.size()) finished_[death.worker] = 0;
  std::vector<LostJob> lost;
  for (const ipc::Publication id : ids) {
    // Two words of the worker may name the same publication, and one that was answered may still be
    // named; its job may be at its next step by now, with another worker.
    Job* job = table_.find_published(id);
    if (job == nullptr) continue;
    lost.push_back({id.job, job->method->name, job->attempts});
    if (!was_ended_by_us) job->deaths.push_back(death);
    job->has_begun = true;
    on_job_lost(*job, death.how);
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
    if (!is_with_workers(job)) return;
    if (port.try_withdraw(job.publication)) {
      --job.attempts;
    } else {
      job.has_begun = true;
    }
    on_job_lost(job, cause);
  });
  RM_ASSERT(backlog_.jobs() == 0);
}

void RunStage::on_job_lost(Job& job, const std::string& cause) {
  backlog_.remove(job.expected_ns);
  if (job.caller == nullptr) return events_.on_released(job);  // nobody waits for it
  if (job.attempts < job.method->attempts) {
    job.state = JobState::kQueued;
    forecast_.on_queued(job.load, *job.method, job.step, job.deadline_ns);
    return queue_.push(job.deadline_ns, job.ticket);
  }
  if (!job.deaths.empty()) quarantined_(job);
  rpc::Error error =
      rpc::make_error(rpc::kWorkerDied, "worker_died",
                      fmt::format("the worker died ({}) while it ran this, attempt {} of {}", cause,
                                  job.attempts, job.method->attempts));
  error.retryable = true;
  events_.on_step_failed(job, error);
}

}  // namespace ringmaster::master
