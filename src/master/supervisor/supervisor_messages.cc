// Supervisor: handles the fork server's messages.
#include <csignal>
#include <fmt/format.h>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "master/supervisor/supervisor.h"

namespace ringmaster::master {

// Whether an undamaged fork server could send this message now.
bool Supervisor::is_sane(const ipc::ControlMessage& message) const {
  using ipc::ControlType;
  const bool is_exit = message.type == ControlType::kExited;
  const bool is_stack = message.type == ControlType::kStack;
  const bool is_of_fork =
      message.type == ControlType::kForked || message.type == ControlType::kForkFailed;
  const bool are_described = descriptions_.size() == setup_.handlers.size();
  if (message.type == ControlType::kDescription) return !is_loaded_ && !are_described;
  if (message.type == ControlType::kLoaded) return !is_loaded_ && are_described;
  if (message.type == ControlType::kPong) return is_ping_unanswered_;
  if (message.type == ControlType::kNamed) return names_.is_asking();
  if (message.type == ControlType::kSpareExited) return is_loaded_;
  if (!is_exit && !is_of_fork && !is_stack) return message.type == ControlType::kFailed;
  if (message.worker >= worker_slots_.slot_count()) return false;
  const WorkerSlots::Slot& slot = worker_slots_.slot(message.worker);
  if (is_stack) return watched_[message.worker].is_asked && slot.pid == message.pid;
  if (is_of_fork) return slot.state == WorkerSlots::State::kForking;
  return slot.pid != 0 && slot.pid == message.pid;
}

void Supervisor::on_message(const ipc::ControlMessage& message) {
  const bool is_answer = message.type == ipc::ControlType::kNamed;
  if (!is_sane(message) || (is_answer && !names_.on_answer(message.text))) {
    // Handlers run in the fork server while they load, and may write anywhere.
    failure_ = Error{ExitCode::kInternal,
                     fmt::format("unexpected control message from the fork server: type {}, "
                                 "worker {}, pid {}",
                                 static_cast<uint32_t>(message.type), message.worker, message.pid)};
    return generation_->kill();
  }
  was_fork_server_heard_ = true;
  switch (message.type) {
    case ipc::ControlType::kPong:
      is_ping_unanswered_ = false;
      return;
    case ipc::ControlType::kNamed:
      return;
    case ipc::ControlType::kDescription:
      return descriptions_.push_back(message.text);
    case ipc::ControlType::kLoaded:
      is_loaded_ = true;
      load_failure_.clear();
      events_.on_described(std::move(descriptions_));
      log(Level::kInfo, "handlers_loaded",
          {{"gen", generation_->number()},
           {"fork_server_pid", generation_->fork_server_pid()},
           {"took_ms", (now_ns() - generation_started_ns_) / kNsPerMs}});
      sandbox_lacks_ = message.text;
      if (!sandbox_lacks_.empty()) {
        log(Level::kWarning, "sandbox_incomplete",
            {{"gen", generation_->number()}, {"missing", sandbox_lacks_}});
      }
      return fork_due();
    case ipc::ControlType::kFailed:
      failure_ = Error{static_cast<ExitCode>(message.status), message.text};
      return generation_->kill();
    case ipc::ControlType::kForked:
      if (worker_slots_.on_forked(message.worker, message.pid, now_ns())) {
        signal_worker(message.worker, SIGKILL);
      }
      return look_at_workers();
    case ipc::ControlType::kForkFailed:
      return on_fork_failed(message.worker, strerrordesc_np(message.status));
    case ipc::ControlType::kStack:
      return on_stack(message);
    case ipc::ControlType::kExited:
      return on_worker_exited(message);
    case ipc::ControlType::kSpareExited:
      return on_spare_exited(message);
    default:
      RM_ASSERT(false);  // see is_sane()
  }
}

void Supervisor::on_fork_failed(uint32_t worker, const std::string& why) {
  log(Level::kError, "fork_failed", {{"worker", worker}, {"error", why}});
  generation_->port().on_fork_failed(worker);
  worker_slots_.on_fork_failed(worker, now_ns());
}

std::string Supervisor::why_ended(const WorkerExit& death, bool was_killed_by_us) const {
  const char* by_us = watched_[death.worker].why_ended;
  const bool has_left = death.how == "exit 0";
  if (by_us != nullptr && (was_killed_by_us || has_left)) return by_us;
  const bool was_told = worker_slots_.slot(death.worker).state == WorkerSlots::State::kLeaving;
  if (has_left && was_told) return "unwanted";
  return death.cause.empty() ? death.how : death.cause;
}

void Supervisor::on_worker_exited(const ipc::ControlMessage& message) {
  const uint32_t worker = message.worker;
  outputs_.finish(worker);  // while its jobs are known
  WorkerExit death{worker, generation_->number(), message.pid};
  death.how = describe_exit(message.status);
  death.report = message.text;
  const bool was_killed = death.how == "SIGKILL";
  const bool was_killed_by_us = worker_slots_.slot(worker).is_killed && was_killed;
  if (was_killed && !was_killed_by_us && oom_kills_.rose()) death.cause = "oom";
  run_stage_.take_results(RunStage::kAllBytes);  // first: finished jobs are not lost
  const bool has_worked = run_stage_.finished_jobs(worker) > 0;
  const std::vector<LostJob> lost = run_stage_.on_worker_lost(death, was_killed_by_us);
  const uint64_t now = now_ns();
  const std::string why = why_ended(death, was_killed_by_us);
  if (!setup_.is_rehearsing && why != kRehearsed) {
    setup_.recorder.record(telemetry::EventKind::kWorkerEnded, now,
                           {.took_ns = now - worker_slots_.slot(worker).forked_ns,
                            .reason = setup_.recorder.name(why),
                            .where = static_cast<uint16_t>(worker)});
  }
  watched_[worker].why_ended = nullptr;
  worker_slots_.on_exited(worker, now, has_worked);
  run_stage_.set_workers(worker_slots_.up_count());
  if (message.status == 0 && lost.empty()) {
    log(Level::kInfo, "worker_left",
        {{"worker", worker}, {"gen", death.generation}, {"pid", message.pid}});
  } else {
    log_death(death, lost);
  }
  if (worker_slots_.slot(worker).young_deaths == WorkerSlots::kCrashLoopDeaths) {
    log(Level::kError, "crash_looping",
        {{"worker", worker},
         {"gen", generation_->number()},
         {"deaths", WorkerSlots::kCrashLoopDeaths}});
  }
  fork_due();
}

void Supervisor::on_spare_exited(const ipc::ControlMessage& message) {
  const std::string how = describe_exit(message.status);
  std::vector<LogField> fields = {
      {"gen", generation_->number()}, {"pid", message.pid}, {"how", how}};
  if (how == "SIGKILL" && oom_kills_.rose()) fields.push_back({"cause", "oom"});
  log(Level::kWarning, "spare_died", fields);
}

}  // namespace ringmaster::master
