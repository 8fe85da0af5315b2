#include "master/rehearsal/rehearsal.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "master/system/process_look.h"

namespace ringmaster::master {
namespace {

// A job that still runs at the end of the rehearsal counts as hanging if it has taken longer than
// kHangTimes its former time plus kHangNsMin.
constexpr uint64_t kHangTimes = 10;
constexpr uint64_t kHangNsMin = 1 * kNsPerS;

}  // namespace

// The caller of each job. The dispatcher calls it once for each, and not after ~Rehearsal().
class Rehearsal::Listener : public Caller {
 public:
  explicit Listener(Rehearsal& rehearsal) : rehearsal_(&rehearsal) {}

  void forget() { rehearsal_ = nullptr; }
  void on_report(const JobReport& report) override { cpu_ns_ = report.cpu_ns; }
  void answer_result(std::string_view result) override {
    if (rehearsal_ != nullptr) rehearsal_->on_answer(result, cpu_ns_);
  }
  void answer_error(const rpc::Error& error) override {
    if (rehearsal_ != nullptr) rehearsal_->on_error(error);
  }
  std::string_view client_id() const override {
    return rehearsal_ == nullptr ? "" : std::string_view(rehearsal_->job().id);
  }

 private:
  Rehearsal* rehearsal_;
  uint64_t cpu_ns_ = 0;
};

// The comparison of one answer, the judgement, or both, in a thread.
struct Rehearsal::Work {
  uv_work_t request{};
  Rehearsal* owner;  // null once destroyed
  Comparison comparison;
  Note note;  // tells the comparison how a job has ended; empty: none has
  bool judges;
  std::optional<Comparison::Refusal> refusal{};
};

Rehearsal::Rehearsal(uv_loop_t* loop, Dispatcher& dispatcher, std::vector<Part> parts,
                     uint64_t limit_ms, WorkerPid worker_pid)
    : loop_(loop),
      dispatcher_(dispatcher),
      parts_(std::move(parts)),
      worker_pid_(std::move(worker_pid)),
      begun_ns_(now_ns()),
      end_ns_(begun_ns_ + limit_ms * kNsPerMs),
      listener_(std::make_shared<Listener>(*this)),
      comparison_(parts_.front().compares_cpu) {
  size_t jobs = 0;
  for (const Part& part : parts_)
    jobs += part.jobs.size();
  log(Level::kInfo, "rehearsing", {{"methods", parts_.size()}, {"jobs", jobs}});
}

Rehearsal::~Rehearsal() {
  if (work_ != nullptr) work_->owner = nullptr;
  abandon_job();
}

void Rehearsal::abandon_job() {
  if (!std::exchange(is_running_, false)) return;
  listener_->forget();
  dispatcher_.cut_off_all(rpc::make_error(rpc::kShuttingDown, "shutting_down", "it was given up"));
}

bool Rehearsal::advance() {
  if (work_ != nullptr) return false;
  if (!has_ended_ && now_ns() >= end_ns_) give_up_late();
  if (!has_ended_ && !is_running_ && work_ == nullptr) start_job();
  return has_ended_;
}

void Rehearsal::start_job() {
  const pid_t pid = worker_pid_();
  if (pid == 0) return;  // it is being replaced
  const Part& part = parts_[part_];
  is_running_ = true;
  job_begun_ns_ = now_ns();
  worker_wait_ns_ = cpu_wait_ns_of(pid);
  worker_cpu_ns_ = cpu_ns_of(pid);
  RequestExtras extras;
  extras.report.cost = true;
  extras.rehearsed = part.jobs[job_];
  // The answer may come at once: an error, if there is no payload memory for the job.
  (void)dispatcher_.admit(*part.method, job().params, std::nullopt, listener_, nullptr, extras);
}

void Rehearsal::on_answer(std::string_view result, uint64_t cpu_ns) {
  compare([answer = std::string(result), cpu_ns](Comparison& comparison) {
    comparison.on_answer(answer, cpu_ns);
  });
}

void Rehearsal::on_error(const rpc::Error& error) {
  if (error.code == rpc::kWorkerDied) return on_lost(error);
  if (error.code == rpc::kDeadlineExceeded && is_starved()) {
    is_running_ = false;
    return cut_short("other processes used the CPUs");
  }
  // Without the message, in which a handler may repeat params.
  compare([text = fmt::format("error {} ({})", error.code, error.reason)](Comparison& comparison) {
    comparison.on_failure(text);
  });
}

// Retryable: the worker did not die of the job.
void Rehearsal::on_lost(const rpc::Error& error) {
  is_running_ = false;
  if (error.retryable && !std::exchange(was_lost_, true)) return;
  refuse_job(error.message);
}

// Whether the job's worker has waited for a CPU for half of the time.
bool Rehearsal::is_starved() const {
  const pid_t pid = worker_pid_();
  const uint64_t half_ns = (now_ns() - job_begun_ns_) / 2;
  if (cpu_wait_ns_of(pid) > worker_wait_ns_ + half_ns) return true;
  // The kernel counts a wait when it ends, and at idle priority a wait may last a second.
  const std::optional<ProcessLook> look = look_at_process(pid);
  return look && look->state == 'R' && look->cpu_ns < worker_cpu_ns_ + half_ns;
}

void Rehearsal::compare(Note note) {
  is_running_ = false;
  const bool is_last = job_ + 1 == parts_[part_].jobs.size();
  start_work(
      [index = job_, job = parts_[part_].jobs[job_],
       note = std::move(note)](Comparison& comparison) {
        comparison.begin(index, job->result, job->cpu_ns);
        note(comparison);
      },
      is_last);
}

void Rehearsal::start_work(Note note, bool judges) {
  work_ = new Work{{}, this, std::move(comparison_), std::move(note), judges};
  work_->request.data = work_;
  const auto run = [](uv_work_t* request) {
    auto* self = static_cast<Work*>(request->data);
    if (self->note) self->note(self->comparison);
    if (self->judges) self->refusal = self->comparison.judge();
  };
  const auto done = [](uv_work_t* request, int) {
    const std::unique_ptr<Work> self(static_cast<Work*>(request->data));
    if (self->owner != nullptr) self->owner->on_work_done(*self);
  };
  RM_ASSERT(uv_queue_work(loop_, &work_->request, run, done) == 0);
}

void Rehearsal::on_work_done(Work& done) {
  work_ = nullptr;
  comparison_ = std::move(done.comparison);
  if (done.note) {
    ++run_;
    ++job_;
  }
  if (!done.judges) return;
  if (done.refusal && !is_cut_short_ && !std::exchange(is_second_run_, true)) {
    job_ = 0;  // runs all jobs once more
    return;
  }
  if (done.refusal) return refuse(*done.refusal);
  is_cut_short_ ? end() : end_method();
}

void Rehearsal::end_method() {
  job_ = 0;
  is_second_run_ = false;
  if (++part_ == parts_.size()) return end();
  comparison_ = Comparison(parts_[part_].compares_cpu);
}

void Rehearsal::give_up_late() {
  const uint64_t taken_ns = now_ns() - job_begun_ns_;
  const bool hangs =
      is_running_ && taken_ns > kHangNsMin + kHangTimes * job().took_ns && !is_starved();
  if (!hangs) return cut_short("workers.start_timeout_ms was over");
  refuse_job(fmt::format("a job has not ended after {} ms, it took {} ms before",
                         taken_ns / kNsPerMs, job().took_ns / kNsPerMs));
}

// The runs so far are judged, even if each job was run only once.
void Rehearsal::cut_short(std::string_view why) {
  log(Level::kWarning, "rehearsal_cut_short",
      {{"method", parts_[part_].method->name}, {"run", run_}, {"why", why}});
  is_cut_short_ = true;
  abandon_job();
  start_work({}, true);
}

// The params and answers of the examples are users' data, so only their requests are named.
void Rehearsal::refuse(const Comparison::Refusal& refusal) {
  const std::string& method = parts_[part_].method->name;
  refusal_ = fmt::format("the rehearsal of method {}: {}", method, refusal.why);
  for (const size_t example : refusal.examples) {
    const RecentJob& job = *parts_[part_].jobs[example];
    std::vector<LogField> fields = {{"method", method}, {"request", job.request}};
    if (!job.id.empty()) fields.emplace_back("id", job.id);
    fields.emplace_back("why", refusal.why);
    log(Level::kError, "rehearsal_example", fields);
  }
  if (!refusal.examples.empty()) {
    refusal_ += fmt::format("; for example request {}",
                            parts_[part_].jobs[refusal.examples.front()]->request);
  }
  end();
}

// Ends the rehearsal at once.
void Rehearsal::refuse_job(const std::string& what) {
  refuse({what, {job_}});
}

void Rehearsal::end() {
  has_ended_ = true;
  log(Level::kInfo, "rehearsed",
      {{"run", run_},
       {"took_ms", (now_ns() - begun_ns_) / kNsPerMs},
       {"passed", refusal_.empty() ? "yes" : "no"}});
}

}  // namespace ringmaster::master
