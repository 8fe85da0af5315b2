#include "master/supervisor/supervisor.h"

#include <algorithm>
#include <csignal>
#include <fmt/format.h>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "master/system/process_memory.h"

namespace ringmaster::master {
namespace {

// A lost wake-up, and a slot whose back-off is over, wait for the next tick.
constexpr uint64_t kTickMs = 50;

// How much of the processes' output is logged each tick: about 110 lines. Processes that print more
// wait in their writes.
constexpr int64_t kOutputBytesPerTick = 16 << 10;

// The interval of audits: how long damage to the shared words may go unnoticed, and how long a
// handler may take to return after its answer.
constexpr uint64_t kAuditNs = 1 * kNsPerS;

// How long the handlers of a reload load at idle priority.
constexpr uint64_t kIdleLoadNs = 3 * kNsPerS;
constexpr uint64_t kHurryNs = 1 * kNsPerS;

// How long a generation may take to end once all its jobs are answered.
constexpr uint64_t kEndNs = 5 * kNsPerS;

// A generation that ends within this time, or before it has loaded, delays the next one. The delay
// doubles each time.
constexpr uint64_t kYoungNs = 2 * kNsPerS;
constexpr uint64_t kBackOffNs = 100 * kNsPerMs;
constexpr uint32_t kDoublingsMax = 6;

}  // namespace

Supervisor::Supervisor(Setup setup, RunStage& run_stage, Events events)
    : setup_(std::move(setup)),
      run_stage_(run_stage),
      events_(std::move(events)),
      worker_slots_(setup_.geometry.worker_slots, setup_.worker_count),
      outputs_(setup_.loop, setup_.geometry.worker_slots, setup_.is_development, output_events()),
      watched_(setup_.geometry.worker_slots),
      tick_(make_handle<uv_timer_t>(setup_.loop, this, uv_timer_init)) {
  run_stage_.set_on_damage([this](const Error& error) { condemn(error); });
}

Status Supervisor::start() {
  started_ns_ = now_ns();
  uv_timer_start(
      tick_.get(), [](uv_timer_t* timer) { static_cast<Supervisor*>(timer->data)->on_tick(); },
      kTickMs, kTickMs);
  return start_generation();
}

Status Supervisor::start_generation() {
  is_loaded_ = false;
  is_ping_unanswered_ = false;
  descriptions_.clear();
  names_ = {};
  generation_started_ns_ = now_ns();
  Result<std::unique_ptr<Generation>> started = Generation::start(
      setup_.loop, ++setup_.generations, setup_.geometry, setup_.payload_memory_fd, setup_.handlers,
      setup_.methods, setup_.confinement, outputs_,
      {[this](const ipc::ControlMessage& message) { on_message(message); },
       [this](uint32_t worker, const Error& error) { on_fork_failed(worker, error.message); },
       [this] { look_at_workers(); }, [this](const std::string& how) { on_gone(how); }});
  if (!started) return tl::unexpected(started.error());
  generation_ = std::move(*started);
  run_stage_.set_port(&generation_->port());
  generation_->load(setup_.is_reload && !was_ready_);
  return {};
}

void Supervisor::on_gone(const std::string& how) {
  outputs_.finish_all();  // logs the rest of the output
  const uint32_t number = generation_->number();
  std::optional<WorkerExit> crash;
  if (is_inline() && !is_stopping_ && !failure_)
    crash = WorkerExit{0, number, generation_->fork_server_pid(), how};
  run_stage_.on_port_lost(fmt::format("its fork server: {}", how), crash);
  if (!is_stopping_ && !setup_.is_rehearsing) record_ends("fork_server_died");
  generation_.reset();
  worker_slots_.on_all_gone();
  if (is_stopping_) return events_.on_stopped();
  const std::string why =
      failure_ ? failure_->message : fmt::format("the fork server died: {}", how);
  if (!was_ready_) {
    uv_timer_stop(tick_.get());  // or on_tick() would start another generation
    return events_.on_failed(failure_.value_or(Error{ExitCode::kInternal, why}));
  }
  if (!is_loaded_ && failure_) load_failure_ = failure_->message;
  failure_.reset();
  // After a failed load, a second load at once would hardly succeed, however long the first took.
  const bool was_young = !is_loaded_ || now_ns() < generation_started_ns_ + kYoungNs;
  young_generations_ = was_young ? young_generations_ + 1 : 0;
  const uint64_t wait_ns =
      was_young ? kBackOffNs << std::min(young_generations_ - 1, kDoublingsMax) : 0;
  restart_due_ns_ = now_ns() + wait_ns;
  log(Level::kError, "fork_server_died",
      {{"gen", number}, {"why", why}, {"restart_in_ms", wait_ns / kNsPerMs}});
  on_tick();
}

// Records the ends of all workers.
void Supervisor::record_ends(const char* why) {
  const uint64_t now = now_ns();
  for (uint32_t i = 0; i < worker_slots_.slot_count(); ++i) {
    const WorkerSlots::Slot& slot = worker_slots_.slot(i);
    if (slot.pid == 0) continue;
    setup_.recorder.record(telemetry::EventKind::kWorkerEnded, now,
                           {.took_ns = now - slot.forked_ns,
                            .reason = setup_.recorder.name(why),
                            .where = static_cast<uint16_t>(i)});
  }
}

void Supervisor::on_tick() {
  if (generation_ == nullptr) {
    if (is_stopping_ || now_ns() < restart_due_ns_) return;
    if (Status started = start_generation(); !started) {
      restart_due_ns_ = now_ns() + (kBackOffNs << kDoublingsMax);
      log(Level::kError, "generation_not_started", {{"error", started.error().message}});
    }
    return;
  }
  outputs_.on_tick(kOutputBytesPerTick);
  if (is_stopping_ && now_ns() > end_due_ns_) return generation_->kill();
  look_at_workers();
  run_stage_.wake_one_more();
  fork_due();
  if (!is_inline()) {
    look_for_slow();
    end_processes();
  }
  hurry_late_load();
  give_up_starting_late();
}

// Ends the workers, or the fork server, that must not run on.
void Supervisor::end_processes() {
  run_stage_.end_abandoned(now_ns());
  audit();
  recycle();
  if (is_stopping_) return;  // the fork server ends the workers, within kEndNs
  watch_workers();
  watch_fork_server();
  watch_for_stall();
}

void Supervisor::recycle() {
  if (setup_.max_rss_bytes > 0) looked_at_ = (looked_at_ + 1) % worker_slots_.wanted();
  for (uint32_t i = 0; i < worker_slots_.slot_count(); ++i) {
    const char* why = why_recycle(i);
    if (why == nullptr || !worker_slots_.try_recycle(i)) continue;
    log(Level::kInfo, "worker_recycled",
        {{"worker", i},
         {"gen", generation_->number()},
         {"pid", worker_slots_.slot(i).pid},
         {"why", why},
         {"jobs", run_stage_.finished_jobs(i)},
         {"grown_bytes", grown_bytes(worker_slots_.slot(i).pid, generation_->fork_server_pid())}});
    watched_[i].why_ended = why;
    return signal_worker(i, SIGTERM);
  }
}

const char* Supervisor::why_recycle(uint32_t worker) const {
  const uint64_t share = setup_.max_jobs / 4 * worker / worker_slots_.wanted();  // see max_jobs
  if (setup_.max_jobs > 0 && run_stage_.finished_jobs(worker) >= setup_.max_jobs + share) {
    return "max_jobs";
  }
  // grown_bytes() costs some system calls: one worker each tick is enough.
  const bool is_due = setup_.max_rss_bytes > 0 && worker == looked_at_;
  if (is_due && worker_slots_.slot(worker).state == WorkerSlots::State::kUp &&
      grown_bytes(worker_slots_.slot(worker).pid, generation_->fork_server_pid()) >
          setup_.max_rss_bytes) {
    return "max_rss_bytes";
  }
  return nullptr;
}

// A load at idle priority gets no CPU time beside workers that use all of it. After some seconds it
// gets about a tenth of a worker's, and after half of the timeout as much as a worker.
void Supervisor::hurry_late_load() {
  if (!setup_.is_reload || is_loaded_) return;
  const uint64_t half_ns = setup_.start_timeout_ms * kNsPerMs / 2;
  const uint64_t since_ns = now_ns() - generation_started_ns_;
  if (since_ns > std::min(kIdleLoadNs, half_ns) && now_ns() > hurry_due_ns_) {
    hurry_due_ns_ = now_ns() + kHurryNs;
    generation_->end_idle_priority();
  }
  if (since_ns > half_ns) generation_->raise_priority();
}

// Before the timeout, the first generation must have all workers up. A later one must only have
// loaded: its workers go on even if one of them does not come up.
void Supervisor::give_up_starting_late() {
  const uint64_t since_ns = was_ready_ ? generation_started_ns_ : started_ns_;
  const bool is_late = now_ns() > since_ns + setup_.start_timeout_ms * kNsPerMs;
  if (!is_late || (was_ready_ && is_loaded_) || failure_) return;
  const std::string how_far =
      is_loaded_
          ? fmt::format("{} of {} workers up", worker_slots_.up_count(), worker_slots_.wanted())
          : "handlers are still being loaded";
  failure_ = Error{ExitCode::kResource,
                   fmt::format("not ready within {} ms (workers.start_timeout_ms): {}",
                               setup_.start_timeout_ms, how_far)};
  generation_->kill();
}

void Supervisor::look_at_workers() {
  if (generation_ == nullptr) return;
  for (uint32_t i = 0; i < worker_slots_.slot_count(); ++i) {
    if (worker_slots_.slot(i).state != WorkerSlots::State::kStarting ||
        generation_->port().was_state(i) == ipc::WorkerState::kAbsent) {
      continue;
    }
    log(Level::kInfo, "worker_ready",
        {{"worker", i}, {"gen", generation_->number()}, {"pid", worker_slots_.slot(i).pid}});
    setup_.recorder.record(telemetry::EventKind::kWorkerUp, now_ns(),
                           {.where = static_cast<uint16_t>(i)});
    if (worker_slots_.on_ready(i)) signal_worker(i, SIGTERM);
  }
  run_stage_.set_workers(worker_slots_.up_count());
  if (!was_ready_ && worker_slots_.is_complete()) {
    was_ready_ = true;
    events_.on_ready();
  }
}

bool Supervisor::try_name(const std::vector<uint64_t>& functions) {
  if (names_.is_asking()) return false;
  if (generation_ == nullptr || !is_loaded_) return true;
  const std::vector<uint64_t> asked = names_.ask(functions);
  if (!asked.empty()) generation_->name_functions(asked);
  return asked.empty();
}

void Supervisor::fork_due() {
  if (generation_ == nullptr || !is_loaded_) return;
  for (const uint32_t slot : worker_slots_.take_due(now_ns()))
    generation_->fork_worker(slot, setup_.is_rehearsing);
}

void Supervisor::audit() {
  if (now_ns() < audit_due_ns_) return;
  audit_due_ns_ = now_ns() + kAuditNs;
  run_stage_.audit();
}

// Ends the generation: a worker that has damaged shared memory may have damaged any of it.
void Supervisor::condemn(const Error& error) {
  log(Level::kError, "memory_damaged", {{"gen", generation_->number()}, {"error", error.message}});
  generation_->kill();
}

void Supervisor::kill_worker(uint32_t worker, const char* why) {
  if (generation_ == nullptr || is_inline()) return;
  if (watched_[worker].why_ended == nullptr) watched_[worker].why_ended = why;
  if (worker_slots_.try_kill(worker)) signal_worker(worker, SIGKILL);
}

void Supervisor::signal_worker(uint32_t worker, int signal) {
  generation_->signal_worker(worker, worker_slots_.slot(worker).pid, signal);
}

void Supervisor::change_worker_count(int by) {
  const std::optional<uint32_t> leaving = worker_slots_.want(
      static_cast<size_t>(std::max(1, static_cast<int>(worker_slots_.wanted()) + by)));
  log(Level::kInfo, "worker_count", {{"wanted", worker_slots_.wanted()}});
  if (leaving && generation_ != nullptr) signal_worker(*leaving, SIGTERM);
  fork_due();
}

void Supervisor::end_rehearsal(size_t worker_count) {
  setup_.is_rehearsing = false;
  was_ready_ = false;
  started_ns_ = now_ns();
  if (worker_slots_.try_recycle(0)) {
    watched_[0].why_ended = kRehearsed;
    signal_worker(0, SIGTERM);
  } else {  // it is about to come up, at idle priority, or leaves already
    kill_worker(0, kRehearsed);
  }
  (void)worker_slots_.want(worker_count);
  fork_due();
}

void Supervisor::stop() {
  is_stopping_ = true;
  end_due_ns_ = now_ns() + kEndNs;
  if (generation_ == nullptr) return events_.on_stopped();
  generation_->stop();
}

}  // namespace ringmaster::master
