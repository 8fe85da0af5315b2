#include "master/pipeline/dispatcher.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/clock.h"
#include "base/json/scan.h"

namespace ringmaster::master {

using telemetry::EventKind;

namespace {

// base does not depend on rpc, so it defines these codes a second time.
static_assert(telemetry::kOverloaded == rpc::kOverloaded);
static_assert(telemetry::kDeadlineExceeded == rpc::kDeadlineExceeded);
static_assert(telemetry::kUpstreamFailed == rpc::kUpstreamFailed);

CostModel::StepKind kind_of(const Step& step) {
  using Kind = CostModel::StepKind;
  const auto* fetch = std::get_if<FetchStep>(&step);
  if (fetch == nullptr) return Kind::kRun;
  return fetch->is_with_previous ? Kind::kFetchWithPrevious : Kind::kFetch;
}

MethodPlan plan_of(const Method& method) {
  MethodPlan plan;
  plan.concurrency = method.concurrency;
  plan.reserved_workers = method.reserved_workers;
  for (const Step& step : method.steps) {
    const auto* run = std::get_if<RunStep>(&step);
    plan.steps.push_back(kind_of(step));
    // A job that must not be run twice is run alone.
    if (run != nullptr && method.attempts > 1) plan.batch = std::max(plan.batch, run->batch);
  }
  return plan;
}

// The `executed` word of every error that answers an admitted job.
rpc::Executed executed(const Job& job) {
  return job.has_begun ? rpc::Executed::kUnknown : rpc::Executed::kNo;
}

}  // namespace

Dispatcher::Dispatcher(uv_loop_t* loop, ipc::PayloadStore& store, const ipc::Geometry& geometry,
                       std::vector<std::unique_ptr<upstream::Upstream>> upstreams,
                       RunStage::KillWorker kill_worker, telemetry::Recorder& recorder)
    : store_(store),
      table_(store, geometry.job_slots),
      timers_(loop, [this](const Job& job) { expire(job.ticket); }),
      memory_(store, scheduler_),
      recorder_(recorder),
      everyone_(scheduler_.shares().hold("", ShareTable::Kind::kNamed)),
      fetch_stage_(store, memory_, std::move(upstreams), *this, recorder),
      run_stage_(store, table_, scheduler_, geometry, *this, std::move(kill_worker), recorder) {}

uint32_t Dispatcher::add_method(const Method& method) {
  const auto [number, is_new] = method_numbers_.try_emplace(&method);
  if (!is_new) return number->second;
  number->second = scheduler_.add_method(plan_of(method));
  method_names_.push_back(recorder_.name(method.name));
  std::vector<telemetry::NameId> upstreams;
  for (const Step& step : method.steps) {
    if (const auto* fetch = std::get_if<FetchStep>(&step)) {
      upstreams.push_back(recorder_.name(fetch_stage_.name_of(*fetch)));
    }
  }
  recorder_.expect(method_names_.back(), upstreams);
  return number->second;
}

void Dispatcher::adopt_costs(const Method& method, const Dispatcher& before, const Method& its) {
  scheduler_.costs().adopt(add_method(method), before.scheduler_.costs(),
                           before.method_numbers_.at(&its));
}

rpc::Executed Dispatcher::cancel(Ticket ticket, int32_t code) {
  Job* job = table_.find(ticket);
  if (job == nullptr || job->caller == nullptr) return rpc::Executed::kUnknown;
  job->caller = nullptr;
  const bool is_fetching = job->state == JobState::kFetching;
  if (is_fetching) fetch_stage_.cancel(*job);
  const bool is_dropped = is_fetching || run_stage_.try_drop(*job);
  if (!is_dropped) job->has_begun = true;
  const uint64_t now = now_ns();
  record_event(recorder_, *job, EventKind::kCancelled, now,
               {.took_ns = now - job->admitted_ns, .code = code});
  const rpc::Executed told = executed(*job);
  if (is_dropped) end(*job, now);
  return told;
}

void Dispatcher::begin_step(Job& job, uint64_t now_ns) {
  if (is_run(job.method->steps[job.step])) return run_stage_.start(job, now_ns);
  if (job.rehearsed != nullptr) return skip_fetches(job, now_ns);
  scheduler_.on_fetching(job.entry, static_cast<uint32_t>(job.step));
  fetch_stage_.start(job, now_ns);
}

void Dispatcher::on_fetched(Job& job, size_t step, uint64_t took_ns) {
  scheduler_.costs().on_fetched(job.entry.method, step, static_cast<double>(took_ns));
}

void Dispatcher::on_fetches_done(Job& job, uint64_t now_ns) {
  scheduler_.on_left(job.entry);
  const size_t next = end_of_parallel(*job.method, job.step);
  if (next < job.method->steps.size()) {
    job.step = next;
    return begin_step(job, now_ns);
  }
  const std::string_view text = text_of(store_, job.products.back());
  if (const std::optional<std::string> fault = json::find_fault(text)) {
    const FetchStep& last = std::get<FetchStep>(job.method->steps.back());
    return on_step_failed(job, next - 1,
                          rpc::make_error(rpc::kUpstreamFailed, "invalid_body",
                                          fmt::format("upstream {}: expected JSON: {}",
                                                      fetch_stage_.name_of(last), *fault)));
  }
  answer_result(job, text, now_ns);
  end(job, now_ns, true);
}

void Dispatcher::on_result(Job& job, std::string_view result, uint64_t now_ns) {
  if (job.step + 1 == job.method->steps.size()) {
    keep(job, result, now_ns);
    answer_result(job, result, now_ns);
    return end(job, now_ns, true);
  }
  if (job.caller == nullptr) return end(job, now_ns);
  const tl::expected<ipc::Block, rpc::Error> block = store(job, {result});
  if (!block) return on_step_failed(job, job.step, block.error());
  job.products.push_back({*block, result.size()});
  ++job.step;
  begin_step(job, now_ns);
}

void Dispatcher::on_step_failed(Job& job, size_t step, const rpc::Error& error) {
  if (job.state == JobState::kFetching) {
    scheduler_.costs().on_fetch_failed(job.entry.method, step);
    fetch_stage_.cancel(job);
  }
  fail(job, error);
}

void Dispatcher::fail(Job& job, const rpc::Error& error) {
  const uint64_t now = now_ns();
  answer_error(job, error, now);
  end(job, now);
}

void Dispatcher::on_released(Job& job) {
  end(job, now_ns());
}

void Dispatcher::expire(Ticket ticket) {
  Job* const found = table_.find(ticket);
  if (found == nullptr) return;
  Job& job = *found;
  timers_.stop(job);
  if (job.state == JobState::kAbandoned) return run_stage_.end_worker_of(job);
  rpc::Error error = deadline_exceeded(job);
  // A fetch has taken too long. Where the client allows less time than the method, the client's
  // deadline is the cause; else the upstream has used up the method's time.
  if (job.state == JobState::kFetching && !job.is_client_deadline) {
    scheduler_.costs().on_fetch_failed(job.entry.method, FetchStage::first_under_way(job));
    error.code = rpc::kUpstreamFailed;
    error.message =
        fmt::format("upstream {}: {}", fetch_stage_.names_under_way(job), error.message);
    error.reason = "timeout";
  }
  cut_off(job, error, true);
}

void Dispatcher::record_deadline(Job& job, telemetry::Stage stage) {
  record_event(recorder_, job, EventKind::kExpired, now_ns(),
               {.where = static_cast<uint16_t>(stage)});
}

void Dispatcher::cut_off_all(const rpc::Error& error) {
  table_.for_each_used([&](Job& job) {
    if (job.state == JobState::kAbandoned) return run_stage_.end_worker_of(job);
    // A job that a worker has goes on when its client is gone.
    if (job.caller != nullptr || job.state == JobState::kPublished) cut_off(job, error, false);
  });
}

void Dispatcher::cut_off(Job& job, rpc::Error error, bool is_deadline) {
  if (job.state == JobState::kFetching) {
    if (is_deadline) record_deadline(job, telemetry::Stage::kFetch);
    if (is_deadline && job.is_client_deadline) {
      const size_t step = FetchStage::first_under_way(job);
      const uint64_t took_ns = now_ns() - job.fetches[step].began_ns;
      scheduler_.costs().on_fetch_cut_off(job.entry.method, step, static_cast<double>(took_ns));
    }
    fetch_stage_.cancel(job);
    return fail(job, error);
  }
  const Ticket ticket = job.ticket;
  switch (run_stage_.expire(job)) {
    case RunStage::Expired::kDropped:
      if (is_deadline) record_deadline(job, telemetry::Stage::kQueue);
      return fail(job, error);
    case RunStage::Expired::kAbandoned:
      if (is_deadline) record_deadline(job, telemetry::Stage::kRun);
      answer_error(job, error, now_ns());
      if (!is_deadline || now_ns() >= method_deadline_ns(job)) return run_stage_.end_worker_of(job);
      return leave_running(job);
    case RunStage::Expired::kMovedOn:
      if (table_.find(ticket) != nullptr) cut_off(job, error, is_deadline);
  }
}

// The client allowed less time than the method does. The client has got its error; the worker is
// ended only at the method's own deadline.
void Dispatcher::leave_running(Job& job) {
  scheduler_.on_abandoned(job.entry, now_ns());
  timers_.start(job, method_deadline_ns(job));
}

void Dispatcher::answer_result(Job& job, std::string_view result, uint64_t now_ns) {
  const auto caller = std::exchange(job.caller, nullptr);
  if (caller == nullptr) return;
  if (job.report.any()) caller->on_report({job.cpu_ns, quote(*job.method, *job.entry.client)});
  record_end(job, *caller, now_ns);
  if (job.rehearsed == nullptr && job.entry.quote_base_ns > 0) {
    recorder_.record_prediction(job.trail, static_cast<uint64_t>(job.entry.quote_base_ns),
                                took_ns(job, now_ns));
  }
  caller->answer_result(result);
}

void Dispatcher::answer_error(Job& job, rpc::Error error, uint64_t now_ns) {
  error.executed = executed(job);
  const auto caller = std::exchange(job.caller, nullptr);
  if (caller == nullptr) return;
  if (job.report.any()) caller->on_report({job.cpu_ns, quote(*job.method, *job.entry.client)});
  record_end(job, *caller, now_ns, error.code, recorder_.name(error.reason));
  caller->answer_error(error);
}

void Dispatcher::record_end(Job& job, const Caller& caller, uint64_t now_ns, int32_t code,
                            telemetry::NameId reason) {
  const uint64_t took = took_ns(job, now_ns);
  if (caller.has_left()) {
    return record_event(recorder_, job, EventKind::kCancelled, now_ns, {.took_ns = took});
  }
  record_event(recorder_, job, EventKind::kAnswered, now_ns,
               {.took_ns = took, .code = code, .reason = reason});
}

void Dispatcher::end(Job& job, uint64_t now_ns, bool is_answered) {
  const uint64_t slow_ns = job.method->slow_ms * kNsPerMs;
  const bool is_slow = slow_ns > 0 && now_ns > job.admitted_ns + slow_ns;
  if (is_slow && job.rehearsed == nullptr) on_slow_(job);
  scheduler_.on_ended(job.entry, now_ns, is_answered && job.rehearsed == nullptr);
  timers_.stop(job);
  table_.free(job);
  if (on_idle_ && table_.used() == 0) on_idle_();
}

}  // namespace ringmaster::master
