// The run stage, above the master's end of the shared memory. The input is a script of the workers'
// writes there, and of events: jobs are admitted, are dropped, expire, lose their worker, or lose
// the generation.
//
// Whatever is written: each job ends exactly once, its memory is free then, and each call does a
// bounded amount of work. Once damage was found, nothing more is taken from the generation.
#include <algorithm>
#include <optional>
#include <vector>

#include "base/log.h"
#include "fuzz.h"
#include "master/pipeline/run_stage.h"
#include "scribbler.h"

namespace ringmaster::master {
namespace {

constexpr uint32_t kWorkers = 3;
constexpr uint32_t kJobs = 6;

ipc::Geometry make_geometry() {
  ipc::Geometry geometry;
  geometry.worker_slots = kWorkers;
  geometry.ring_entries = 4;
  geometry.job_slots = kJobs;
  geometry.payload_bytes = 32 << 10;
  geometry.result_bytes = 200;
  return geometry;
}

const Method kMethods[] = {
    {"one", {}, 1000, 2, {RunStep{0}}},
    {"two", {}, 1000, 1, {RunStep{0}, RunStep{1}}},
    {"batches", {}, 1000, 3, {RunStep{2, 3}, RunStep{2, 3}}},
};

struct NobodyCares : Caller {
  void answer_result(std::string_view) override {}
  void answer_error(const rpc::Error&) override {}
};

class Play : StageEvents {
 public:
  explicit Play(FuzzedDataProvider& script) : script_(script) {
    stage_.set_on_damage([this](const Error&) { RM_ASSERT(!std::exchange(is_damaged_, true)); });
    for (const Method& method : kMethods) {
      MethodPlan plan;
      plan.steps.assign(method.steps.size(), CostModel::StepKind::kRun);
      plan.batch = std::get<RunStep>(method.steps.front()).batch;
      scheduler_.add_method(plan);
    }
    start_generation();
  }

  void run() {
    while (script_.remaining_bytes() > 0) {
      if (script_.ConsumeBool()) {
        worker_->scribble();
      } else {
        command();
      }
    }
    lose_generation();
    table_.for_each_used([this](Job& job) {
      RM_ASSERT(job.state == JobState::kQueued && stage_.try_drop(job));
      end(job);
    });
    RM_ASSERT(table_.used() == 0 && store_.used_bytes() == 0 && stage_.published_jobs() == 0);
  }

 private:
  void on_fetched(Job&, size_t, uint64_t) override { RM_ASSERT(false); }
  void on_fetches_done(Job&, uint64_t) override { RM_ASSERT(false); }
  void on_result(Job& job, std::string_view result, uint64_t) override {
    RM_ASSERT(is_with_workers(job) && result.size() < 4096);
    if (job.step + 1 == job.method->steps.size()) return end(job);
    const std::optional<ipc::Block> block = store_.store(result);
    if (!block) return end(job);
    job.products.push_back({*block, result.size()});
    ++job.step;
    stage_.start(job, now_ns());
  }
  void on_step_failed(Job& job, size_t, const rpc::Error& error) override {
    RM_ASSERT(is_with_workers(job) && error.message.size() < 8192);
    end(job);
  }
  void on_released(Job& job) override {
    RM_ASSERT(job.caller == nullptr);
    end(job);
  }

  void end(Job& job) {
    job.caller = nullptr;
    scheduler_.on_ended(job.entry, 1, false);
    table_.free(job);
  }

  void command() {
    switch (script_.ConsumeIntegralInRange(0, 9)) {
      case 0:
      case 1:
        return admit();
      case 2:
        return drop(script_.ConsumeBool());
      case 3:
        return expire();
      case 4:
      case 5:
        return stage_.take_results(RunStage::kAllBytes);
      case 6:
        return stage_.audit();
      case 7:
        return bury(worker_->some_worker());
      case 8:
        stage_.wake_workers();
        if (stage_.could_wake_more()) stage_.wake_one_more();
        return;
      default:
        lose_generation();
        start_generation();
    }
  }

  void admit() {
    Job* job = table_.allocate();
    if (job == nullptr) return;
    job->method = script_.PickValueInArray({&kMethods[0], &kMethods[1], &kMethods[2]});
    job->state = JobState::kQueued;
    job->admitted_ns = 1;
    job->deadline_ns = 1 + script_.ConsumeIntegralInRange(0u, 3u);
    const auto number = static_cast<uint32_t>(job->method - &kMethods[0]);
    if (scheduler_.try_admit(job->entry, *everyone_, number, 1, job->deadline_ns)) {
      return table_.free(*job);
    }
    job->caller = caller_;
    job->products.push_back({store_.store("[1]").value(), 3});
    stage_.start(*job, now_ns());
  }

  Job* some_job() {
    std::vector<Job*> jobs;
    table_.for_each_used([&](Job& job) { jobs.push_back(&job); });
    if (jobs.empty()) return nullptr;
    return jobs[script_.ConsumeIntegralInRange<size_t>(0, jobs.size() - 1)];
  }

  // `is_cancelled`: the caller leaves, even where the stage cannot drop the job.
  void drop(bool is_cancelled) {
    Job* job = some_job();
    if (job == nullptr || job->state == JobState::kAbandoned) return;
    if (is_cancelled) job->caller = nullptr;
    if (stage_.try_drop(*job)) end(*job);
  }

  void expire() {
    Job* job = some_job();
    if (job == nullptr || job->state == JobState::kAbandoned) return;
    const Ticket ticket = job->ticket;
    switch (stage_.expire(*job)) {
      case RunStage::Expired::kDropped:
        return end(*job);
      case RunStage::Expired::kAbandoned:
        job->caller = nullptr;
        return;
      case RunStage::Expired::kMovedOn:
        RM_ASSERT(table_.find(ticket) == nullptr || job->state == JobState::kQueued ||
                  job->state == JobState::kPublished);
    }
  }

  void bury(uint32_t worker) {
    WorkerExit death;
    death.worker = worker;
    const size_t lost = stage_.on_worker_lost(death, script_.ConsumeBool()).size();
    RM_ASSERT(lost <= kJobs);
  }

  void start_generation() {
    port_.emplace(ipc::MasterPort::create(geometry_).value());
    worker_.emplace(script_, *port_, geometry_);
    is_damaged_ = false;
    stage_.set_port(&*port_);
    stage_.set_workers(kWorkers);
  }
  void lose_generation() {
    stage_.on_port_lost("the script");
    worker_.reset();
    port_.reset();
  }

  FuzzedDataProvider& script_;
  const ipc::Geometry geometry_ = make_geometry();
  ipc::PayloadStore store_ = std::move(ipc::PayloadStore::create(geometry_).value());
  JobTable table_{store_, kJobs};
  Scheduler scheduler_;
  const std::shared_ptr<ClientShare> everyone_ =
      scheduler_.shares().hold("", ShareTable::Kind::kNamed);
  // Shared by all inputs: the recorder takes megabytes, and nothing here reads it.
  inline static telemetry::Recorder recorder_;
  RunStage stage_{store_,     table_,
                  scheduler_, geometry_,
                  *this,      [](uint32_t worker, const char*) { RM_ASSERT(worker < kWorkers); },
                  recorder_};
  std::optional<ipc::MasterPort> port_;
  std::optional<fuzz::Scribbler> worker_;
  std::shared_ptr<Caller> caller_ = std::make_shared<NobodyCares>();
  bool is_damaged_ = false;
};

}  // namespace
}  // namespace ringmaster::master

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool is_quiet = [] {
    ringmaster::LogOptions options;
    options.file = "/dev/null";
    return ringmaster::set_up_log(options).has_value();
  }();
  RM_ASSERT(is_quiet);
  FuzzedDataProvider script(data, size);
  ringmaster::master::Play(script).run();
  return 0;
}
