// Supervisor: finds and ends frozen processes.
#include <fmt/format.h>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "master/supervisor/supervisor.h"

namespace ringmaster::master {
namespace {

// A tick is 50 ms. A worker that should start or claim a job may do nothing for 1 s. A worker that
// leaves may wait for a sanitizer's leak check, and a large fork server takes long to fork: 5 s for
// each.
constexpr uint32_t kWorkerTicks = 20;
constexpr uint32_t kLeavingTicks = 100;
constexpr uint32_t kForkServerTicks = 100;

// The fork server is pinged so many ticks after its last message: 1 s.
constexpr uint32_t kPingTicks = 20;

const char* cause_of(const ProcessLook& look, const char* cause_asleep = "blocked") {
  switch (look.state) {
    case 'T':
      return "stopped by a signal";
    case 't':
      return "stopped by a debugger";
    case 'R':
      return "uses CPU time for something else";
    default:
      return cause_asleep;
  }
}

}  // namespace

void Supervisor::watch_workers() {
  const bool does_job_wait = has_job_waited();
  for (uint32_t i = 0; i < worker_slots_.slot_count(); ++i)
    watch_worker(i, does_job_wait);
}

// Whether one job was published and unclaimed throughout the last tick.
bool Supervisor::has_job_waited() {
  const ipc::MasterPort& port = generation_->port();
  const bool has_waited = waiting_job_ && port.was_ready(*waiting_job_);
  if (!has_waited) waiting_job_ = port.was_ready();
  return has_waited;
}

// A handler can write its worker's bell. So while a job waits, a worker whose bell says that it
// sleeps is watched, too: an undamaged one would have claimed the job. Ticks at which no job waits
// do not count for such a worker.
void Supervisor::watch_worker(uint32_t worker, bool does_job_wait) {
  const WorkerSlots::Slot& slot = worker_slots_.slot(worker);
  const uint64_t finished = run_stage_.finished_jobs(worker);
  WatchedWorker& watched = watched_[worker];
  if (watched.pid != slot.pid) {
    watched = {};
    watched.pid = slot.pid;
    watched.finished_jobs = finished;
  }
  const bool has_finished = std::exchange(watched.finished_jobs, finished) != finished;
  const auto look_at = [&slot] { return look_at_process(slot.pid); };
  end_overstayed(worker);
  note_stopped(worker, has_finished);
  const auto excuse = slot.state == WorkerSlots::State::kLeaving ? FrozenWatch::Excuse::kNone
                                                                 : FrozenWatch::Excuse::kCpuTime;
  const auto frozen =
      watched.watch.on_tick(has_finished ? 0 : limit_ticks(worker), look_at, excuse);
  if (frozen) end_frozen(worker, *frozen, cause_of(*frozen));

  const bool can_claim =
      slot.is_up() && !has_finished && !generation_->port().was_any_in_hand(worker);
  if (can_claim && !does_job_wait) return;
  const auto idle = watched.claim_watch.on_tick(can_claim ? kWorkerTicks : 0, look_at,
                                                FrozenWatch::Excuse::kNone);
  if (idle) end_frozen(worker, *idle, cause_of(*idle, "leaves jobs unclaimed"));
}

// A worker that was told to leave finishes the jobs in hand. If it claims more, it ignores SIGTERM,
// or the fork server has not sent SIGTERM yet.
void Supervisor::end_overstayed(uint32_t worker) {
  const WorkerSlots::Slot& slot = worker_slots_.slot(worker);
  WatchedWorker& watched = watched_[worker];
  if (slot.state != WorkerSlots::State::kLeaving || slot.is_killed) return;
  if (watched.leaving_ticks++ == 0) watched.finished_until_leaving = watched.finished_jobs;
  const uint64_t jobs = watched.finished_jobs - watched.finished_until_leaving;
  if (watched.leaving_ticks <= kLeavingTicks || jobs <= ipc::kBatchMax) return;
  log(Level::kError, "worker_overstayed",
      {{"worker", worker}, {"gen", generation_->number()}, {"pid", slot.pid}, {"jobs", jobs}});
  kill_worker(worker, "overstayed");
}

// Only a job's deadline ends a worker that is stopped in that job. So the log says meanwhile what
// the job waits for. Looks once a second, and only at workers with a job that takes that long.
void Supervisor::note_stopped(uint32_t worker, bool has_finished) {
  const WorkerSlots::Slot& slot = worker_slots_.slot(worker);
  WatchedWorker& watched = watched_[worker];
  const bool has_job = slot.is_up() && generation_->port().was_any_in_hand(worker);
  watched.job_ticks = has_job && !has_finished ? watched.job_ticks + 1 : 0;
  if (watched.job_ticks % kWorkerTicks != 0) return;
  ProcessLook look;
  if (watched.job_ticks > 0) look = look_at_process(slot.pid).value_or(look);
  const bool is_stopped = look.is_stopped();
  if (std::exchange(watched.is_stopped, is_stopped) == is_stopped) return;
  std::vector<LogField> fields = {
      {"worker", worker}, {"gen", generation_->number()}, {"pid", slot.pid}};
  if (!is_stopped) return log(Level::kInfo, "worker_resumed", fields);
  fields.emplace_back("cause", cause_of(look));
  const RunStage::InHand job = run_stage_.in_hand(worker);
  if (job.method != nullptr) {
    fields.emplace_back("request", job.request);
    fields.emplace_back("method", job.method->name);
  }
  log(Level::kWarning, "worker_stopped", fields);
}

void Supervisor::end_frozen(uint32_t worker, const ProcessLook& look, const char* cause) {
  log(Level::kError, "worker_frozen",
      {{"worker", worker},
       {"gen", generation_->number()},
       {"pid", worker_slots_.slot(worker).pid},
       {"state", std::string(1, look.state)},
       {"cause", cause}});
  kill_worker(worker, "frozen");
}

// How long the worker may do nothing; 0: without limit. A worker with a job is bound by that job's
// deadline; one that sleeps is watched once it was woken.
uint32_t Supervisor::limit_ticks(uint32_t worker) const {
  const WorkerSlots::Slot& slot = worker_slots_.slot(worker);
  const ipc::MasterPort& port = generation_->port();
  if (slot.is_killed || port.was_any_in_hand(worker)) return 0;
  switch (slot.state) {
    case WorkerSlots::State::kStarting:
      return kWorkerTicks;
    case WorkerSlots::State::kUp:
      return port.was_state(worker) == ipc::WorkerState::kAwake ? kWorkerTicks : 0;
    case WorkerSlots::State::kLeaving:
      return kLeavingTicks;
    default:
      return 0;
  }
}

// A fork server that loads handlers answers no ping; workers.start_timeout_ms limits the loading.
void Supervisor::watch_fork_server() {
  if (!is_loaded_) return;
  const bool was_heard = std::exchange(was_fork_server_heard_, false);
  const int pid = generation_->fork_server_pid();
  const auto frozen =
      fork_server_watch_.on_tick(is_ping_unanswered_ && !was_heard ? kForkServerTicks : 0,
                                 [pid] { return look_at_process(pid); });
  if (frozen) {
    log(Level::kError, "fork_server_frozen",
        {{"gen", generation_->number()},
         {"pid", pid},
         {"state", std::string(1, frozen->state)},
         {"cause", cause_of(*frozen)}});
    failure_ = Error{ExitCode::kResource,
                     fmt::format("the fork server did not answer: {}", cause_of(*frozen))};
    return generation_->kill();
  }
  if (is_ping_unanswered_ || ticks_until_ping_-- > 0) return;
  ticks_until_ping_ = kPingTicks;
  is_ping_unanswered_ = true;
  generation_->ping_fork_server();
}

// Asks each worker whose job is slow for its stack, at most once a second: a stack costs the worker
// some 100 us, and the fork server has to find the names.
void Supervisor::look_for_slow() {
  if (!setup_.watches_slow || setup_.is_rehearsing) return;
  const uint64_t now = now_ns();
  for (uint32_t i = 0; i < worker_slots_.slot_count(); ++i) {
    WatchedWorker& watched = watched_[i];
    // `watched` is about the slot's former worker until watch_worker() has seen the new one.
    const int32_t pid = worker_slots_.slot(i).pid;
    if (pid == 0 || watched.pid != pid || watched.is_asked || now < watched.next_ask_ns) continue;
    const RunStage::InHand job = run_stage_.in_hand(i);
    if (job.method == nullptr || job.method->slow_ms == 0 || job.is_answered) continue;
    const bool is_slow = now > job.admitted_ns + job.method->slow_ms * kNsPerMs;
    if (!is_slow || job.request == watched.slow_request) continue;
    if (!generation_->try_ask_stack(i, pid)) return;
    watched.slow_request = job.request;
    watched.next_ask_ns = now + kNsPerS;
    watched.is_asked = true;
  }
}

// The worker may be at another job by now: then the stack is that job's, and is not kept.
void Supervisor::on_stack(const ipc::ControlMessage& message) {
  WatchedWorker& watched = watched_[message.worker];
  watched.is_asked = false;
  if (message.text.empty() || !run_stage_.has_in_hand(message.worker, watched.slow_request)) return;
  setup_.recorder.keep_stack(watched.slow_request, message.text);
}

void Supervisor::watch_for_stall() {
  const bool was_stalled = stall_watch_.is_stalled();
  const size_t jobs = run_stage_.published_jobs();
  stall_watch_.on_tick(jobs, run_stage_.results(), [this] { return is_any_at_work(); });
  if (stall_watch_.is_stalled() == was_stalled) return;
  if (was_stalled) return log(Level::kInfo, "stall_over", {{"gen", generation_->number()}});
  log(Level::kError, "stalled",
      {{"gen", generation_->number()}, {"jobs", jobs}, {"cause", "no worker is at work"}});
}

bool Supervisor::is_any_at_work() const {
  for (uint32_t i = 0; i < worker_slots_.slot_count(); ++i) {
    if (worker_slots_.slot(i).pid == 0 || !generation_->port().was_any_in_hand(i)) continue;
    const std::optional<ProcessLook> look = look_at_process(worker_slots_.slot(i).pid);
    if (look && !look->is_stopped()) return true;
  }
  return false;
}

}  // namespace ringmaster::master
