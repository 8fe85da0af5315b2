#include "master/pipeline/dispatcher.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/json/scan.h"
#include "master/pipeline/refusals.h"

namespace ringmaster::master {

using telemetry::EventKind;

namespace {

// base does not depend on rpc, so it defines these codes a second time.
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

// Since its admission. `now_ns` may be earlier: take_results() reads the clock before the results.
uint64_t took_ns(const Job& job, uint64_t now_ns) {
  return now_ns - std::min(job.admitted_ns, now_ns);
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

void Dispatcher::keep_recent(size_t count) {
  if (count > 0) recent_jobs_.emplace(count);
}

const RecentJobs::Kept& Dispatcher::recent(const Method& method) const {
  static const RecentJobs::Kept kNone;
  return recent_jobs_ ? recent_jobs_->of(method_numbers_.at(&method)) : kNone;
}

void Dispatcher::adopt_recent(const Method& method, const Dispatcher& before, const Method& its) {
  if (!recent_jobs_ || !before.recent_jobs_ || !is_rehearsable(method)) return;
  recent_jobs_->adopt(add_method(method), *before.recent_jobs_, before.method_numbers_.at(&its));
}

std::optional<Ticket> Dispatcher::admit(const Method& method, std::string_view params,
                                        std::optional<uint64_t> timeout_ms,
                                        std::shared_ptr<Caller> caller, ClientShare* client,
                                        const RequestExtras& extras) {
  const uint64_t now = now_ns();
  const uint64_t allowed_ns =
      std::min(timeout_ms.value_or(method.timeout_ms), method.timeout_ms) * kNsPerMs;
  const bool is_client_deadline = timeout_ms && *timeout_ms < method.timeout_ms;
  if (client == nullptr) client = everyone_.get();
  const uint32_t number = add_method(method);
  telemetry::Trail trail{0, 0, extras.client_name, method_names_[number],
                         parse_traceparent(extras.traceparent)};
  const auto offered_ns = static_cast<uint64_t>(scheduler_.costs().need(number, 0).run_ns);
  const auto refuse = [&](const rpc::Error& error) {
    if (extras.rehearsed == nullptr) {
      recorder_.record(
          trail, EventKind::kRefused, now,
          {.took_ns = offered_ns, .code = error.code, .reason = recorder_.name(error.reason)});
    }
    caller->answer_error(error);
    return std::nullopt;
  };
  if (timeout_ms == 0u) {
    if (extras.report.any()) caller->on_report({0, quote(method, *client)});
    return refuse(deadline_exceeded(uint64_t{0}));
  }
  const size_t places = table_.capacity();
  if (const auto part = scheduler_.refuse_place(*client, places - table_.used(), places, now)) {
    return refuse(has_part(*part, places, "requests that may be in flight"));
  }
  Job* job = table_.allocate();
  if (job == nullptr) {
    return refuse(full("queue_full", fmt::format("{} requests are in flight", places), places));
  }
  const Ticket ticket = job->ticket;
  trail.request = ticket.request;
  job->state = JobState::kQueued;
  job->method = &method;
  const std::optional<AdmissionRefusal> refusal =
      scheduler_.try_admit(job->entry, *client, number, now, now + allowed_ns, is_client_deadline,
                           fetch_stage_.wait_ns(method, *client));
  if (refusal) {
    table_.free(*job);
    if (extras.report.any()) caller->on_report({0, refusal->quote});
    return refuse(refused(*refusal, allowed_ns));
  }
  job->admitted_ns = now;
  job->rehearsed = extras.rehearsed;
  job->is_chosen = recent_jobs_ && extras.rehearsed == nullptr && is_rehearsable(method) &&
                   recent_jobs_->try_choose(number, now);
  job->report = extras.report;
  job->is_client_deadline = is_client_deadline;
  job->deadline_ns = now + allowed_ns;
  if (const auto error = store_request(*job, *caller, params, extras)) {
    if (extras.report.any()) caller->on_report({0, quote(method, *client)});
    end(*job, now);
    return refuse(*error);
  }
  job->caller = std::move(caller);
  job->trail = trail;
  record_event(recorder_, *job, EventKind::kAdmitted, now, {.took_ns = offered_ns});
  timers_.start(*job, job->deadline_ns);
  begin_step(*job, now);
  return table_.find(ticket) != nullptr ? std::optional(ticket) : std::nullopt;
}

std::optional<rpc::Error> Dispatcher::store_request(Job& job, const Caller& caller,
                                                    std::string_view params,
                                                    const RequestExtras& extras) {
  const std::string_view id = caller.client_id();
  const std::string_view client = job.method->names_client ? extras.client : "";
  const tl::expected<ipc::Block, rpc::Error> block =
      store(job, {params, id, extras.traceparent, client});
  if (!block) return block.error();
  job.products.push_back({*block, params.size()});
  job.id_bytes = static_cast<uint32_t>(id.size());
  job.traceparent_bytes = static_cast<uint32_t>(extras.traceparent.size());
  job.client_bytes = static_cast<uint32_t>(client.size());
  const std::string_view copy{store_.writable(*block).data(), params.size()};
  for (const std::string_view value : extras.found) {
    const auto at = static_cast<size_t>(value.empty() ? 0 : value.data() - params.data());
    job.found.push_back(copy.substr(at, value.size()));
  }
  return {};
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

// The error when a limit is reached: its retry_after is when the next job in flight should be done.
rpc::Error Dispatcher::full(std::string reason, std::string message, uint64_t limit) const {
  rpc::Error error = overloaded(std::move(reason), std::move(message));
  error.limit = limit;
  if (const auto next_ns = scheduler_.next_done_ns())
    error.retry_after_ms = ms_rounded_up(*next_ns);
  return error;
}

rpc::Error Dispatcher::has_part(uint64_t part, uint64_t all, std::string_view what) const {
  return full("fair_share",
              fmt::format("this client has its part, {}, of the {} {}, and other clients ask for "
                          "theirs",
                          part, all, what),
              part);
}

tl::expected<ipc::Block, rpc::Error> Dispatcher::store(
    Job& job, std::initializer_list<std::string_view> parts) {
  uint64_t bytes = 0;
  for (const std::string_view part : parts)
    bytes += part.size();
  if (bytes == 0) return ipc::Block{};
  const auto block = memory_.allocate(job, bytes);
  if (block) {
    char* at = store_.writable(*block).data();
    for (const std::string_view part : parts)
      at += part.copy(at, part.size());
    return *block;
  }
  const uint64_t all = store_.capacity_bytes();
  const std::optional<uint64_t> part = block.error().part_bytes;
  if (part) return tl::unexpected(has_part(*part, all, "bytes of payload memory"));
  return tl::unexpected(
      full("payload_memory",
           fmt::format("no payload memory left for {} bytes of params or results", bytes), all));
}

void Dispatcher::begin_step(Job& job, uint64_t now_ns) {
  if (is_run(job.method->steps[job.step])) return run_stage_.start(job, now_ns);
  if (job.rehearsed != nullptr) return skip_fetches(job, now_ns);
  scheduler_.on_fetching(job.entry, static_cast<uint32_t>(job.step));
  fetch_stage_.start(job, now_ns);
}

// Gives the fetches that begin together what they had before.
void Dispatcher::skip_fetches(Job& job, uint64_t now_ns) {
  const size_t end = end_of_parallel(*job.method, job.step);
  for (; job.step < end; ++job.step) {
    const std::string& body = job.rehearsed->outputs[job.step];
    const tl::expected<ipc::Block, rpc::Error> block = store(job, {body});
    if (!block) return on_step_failed(job, job.step, block.error());
    job.products.push_back({*block, body.size()});
  }
  begin_step(job, now_ns);
}

// A job that has cost a worker is no example of how a job should go.
void Dispatcher::keep(const Job& job, std::string_view result, uint64_t now_ns) {
  if (!job.is_chosen || job.caller == nullptr || !job.deaths.empty()) return;
  uint64_t bytes = result.size();
  for (const Job::Product& product : job.products)
    bytes += product.size;
  if (bytes > RecentJobs::kJobBytesMax) return;  // before anything is copied
  const auto text_of = [this](const Job::Product& product, size_t size) -> std::string_view {
    return size == 0 ? "" : std::string_view(store_.writable(product.block).data(), size);
  };
  const Job::Product& params = job.products.front();
  const std::string_view request = text_of(params, params.size + job.id_bytes);
  RecentJob kept{.params = std::string(request.substr(0, params.size)),
                 .id = std::string(request.substr(params.size)),
                 .outputs = {},
                 .result = std::string(result),
                 .cpu_ns = job.cpu_ns,
                 .took_ns = took_ns(job, now_ns)};
  for (size_t i = 1; i < job.products.size(); ++i)
    kept.outputs.emplace_back(text_of(job.products[i], job.products[i].size));
  recent_jobs_->keep(job.entry.method, std::move(kept));
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
  const Job::Product& body = job.products.back();
  const std::string_view text =
      body.size == 0 ? "" : std::string_view(store_.writable(body.block).data(), body.size);
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
    if (job.caller != nullptr) return cut_off(job, error, false);
    if (job.state == JobState::kAbandoned) run_stage_.end_worker_of(job);
  });
}

void Dispatcher::cut_off(Job& job, rpc::Error error, bool is_deadline) {
  if (job.state == JobState::kFetching) {
    if (is_deadline) record_deadline(job, telemetry::Stage::kFetch);
    return on_step_failed(job, FetchStage::first_under_way(job), error);
  }
  const Ticket ticket = job.ticket;
  switch (run_stage_.expire(job)) {
    case RunStage::Expired::kDropped:
      if (is_deadline) record_deadline(job, telemetry::Stage::kQueue);
      return on_step_failed(job, job.step, error);
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
  timers_.stop(job);
  timers_.start(job, method_deadline_ns(job));
}

Quote Dispatcher::quote(const Method& method, const ClientShare& client) {
  const uint64_t now = now_ns();
  return scheduler_.quote(client, add_method(method), now, now + method.timeout_ms * kNsPerMs,
                          fetch_stage_.wait_ns(method, client));
}

void Dispatcher::answer_result(Job& job, std::string_view result, uint64_t now_ns) {
  const auto caller = std::exchange(job.caller, nullptr);
  if (caller == nullptr) return;
  if (job.report.any()) caller->on_report({job.cpu_ns, quote(*job.method, *job.entry.client)});
  record_end(job, *caller, now_ns);
  if (job.rehearsed == nullptr) {
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
