#include "master/pipeline/fetch_stage.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/telemetry/span_ids.h"
#include "config/payload_need.h"
#include "master/pipeline/fetch_values.h"

namespace ringmaster::master {

using telemetry::EventKind;

namespace {

using Rendered = upstream::RequestTemplate::Rendered;

constexpr std::string_view kNull = "null";

const FetchStep& fetch_step(const Job& job, size_t step) {
  return std::get<FetchStep>(job.method->steps[step]);
}

size_t step_of(const Job::Fetching& fetching) {
  return static_cast<size_t>(&fetching - fetching.job->fetches.data());
}

// For this fetch: a child of the job's own span.
std::string traceparent_of(const Job& job, size_t step) {
  if (!job.trail.trace.is_known()) return "";
  return make_traceparent(job.trail.trace, telemetry::fetch_span(job.ticket.request, step));
}

uint64_t ms_left(const Job& job, uint64_t now_ns) {
  return (job.deadline_ns - std::min(job.deadline_ns, now_ns)) / kNsPerMs;
}

}  // namespace

FetchStage::FetchStage(ipc::PayloadStore& store, JobMemory& memory,
                       std::vector<std::unique_ptr<upstream::Upstream>> upstreams,
                       StageEvents& events, telemetry::Recorder& recorder)
    : store_(store),
      memory_(memory),
      upstreams_(std::move(upstreams)),
      events_(events),
      recorder_(recorder) {
  for (const auto& upstream : upstreams_)
    names_.push_back(recorder.name(upstream->options().name));
}

void FetchStage::start(Job& job, uint64_t now_ns) {
  const size_t end = end_of_parallel(*job.method, job.step);
  job.products.resize(1 + end);
  // All requests are rendered before one is sent, so that a wrong parameter sends none.
  std::array<std::optional<Rendered>, kMaxSteps> requests;
  for (size_t step = job.step; step < end; ++step) {
    const FetchStep& fetch = fetch_step(job, step);
    const FetchValues values(job, step, store_, traceparent_of(job, step));
    tl::expected<Rendered, upstream::Template::Fault> made = fetch.request.render(values.all());
    if (made) {
      requests[step] = std::move(*made);
    } else if (const rpc::Error error = values.error(made.error());
               !fetch.is_optional || error.code != rpc::kUpstreamFailed || !put_null(job, step)) {
      return events_.on_step_failed(job, step, error);
    }
  }
  job.state = JobState::kFetching;
  for (size_t step = job.step; step < end; ++step) {
    if (requests[step]) send(job, step, std::move(*requests[step]), now_ns);
  }
  if (job.fetches_under_way == 0) events_.on_fetches_done(job, now_ns);
}

void FetchStage::send(Job& job, size_t step, Rendered request, uint64_t now_ns) {
  const FetchStep& fetch = fetch_step(job, step);
  upstream::Upstream& upstream = *upstreams_[fetch.upstream];
  recorder_.record(job.trail, EventKind::kFetchBegun, now_ns,
                   {.where = names_[fetch.upstream], .step = static_cast<uint8_t>(step)});
  Job::Fetching& fetching = job.fetches[step];
  fetching = {&job, &upstream, {}, now_ns};
  ++job.fetches_under_way;
  fetching.fetch = upstream.start({
      fetch.request.method(),
      std::move(request.target),
      std::move(request.body),
      std::move(request.headers),
      fetch.request.constant_headers(),
      job.ticket.request,
      // The job's own timer enforces the job's deadline: a late job is not the upstream's fault.
      fetch.timeout_ms > 0 ? fetch.timeout_ms : upstream.options().timeout_ms,
      ms_left(job, now_ns),
      traceparent_of(job, step),
      job.entry.client,
      [this, &fetching](std::string_view bytes, uint64_t expected) {
        return take_bytes(fetching, bytes, expected);
      },
      [this, &fetching](const std::optional<upstream::Attempts::Failure>& failure,
                        uint64_t took_ns) {
        const std::string_view result = std::exchange(fetching.fetch, {}).result();
        on_done(fetching, failure, took_ns, result);
      },
  });
}

bool FetchStage::take_bytes(Job::Fetching& fetching, std::string_view bytes, uint64_t expected) {
  Job& job = *fetching.job;
  Job::Product& body = job.products[1 + step_of(fetching)];
  const uint64_t needed = body.size + bytes.size();
  const uint64_t there = body.block.size == 0 ? 0 : store_.writable(body.block).size();
  if (needed > there) {
    const uint64_t next =
        expected > 0 ? expected : next_body_room(there, fetching.upstream->options().body_bytes);
    const uint64_t wanted = std::max(needed, next);
    const auto larger = memory_.allocate(job, wanted);
    if (!larger) return false;
    if (body.block.size > 0) {
      std::memcpy(store_.writable(*larger).data(), store_.writable(body.block).data(), body.size);
      memory_.free(job, body.block);
    }
    body.block = *larger;
  }
  std::memcpy(store_.writable(body.block).data() + body.size, bytes.data(), bytes.size());
  body.size = needed;
  return true;
}

// Makes null the product of an optional step that has failed. False: there is no memory for it.
bool FetchStage::put_null(Job& job, size_t step) {
  Job::Product& body = job.products[1 + step];
  if (body.block.size == 0) {
    const auto block = memory_.allocate(job, kNull.size());
    if (!block) return false;
    body.block = *block;
  }
  body.size = kNull.copy(store_.writable(body.block).data(), kNull.size());
  return true;
}

void FetchStage::on_done(Job::Fetching& fetching,
                         const std::optional<upstream::HttpClient::Failure>& failure,
                         uint64_t took_ns, std::string_view result) {
  Job& job = *fetching.job;
  const size_t step = step_of(fetching);
  const uint64_t now = now_ns();
  --job.fetches_under_way;
  if (failure && !(fetch_step(job, step).is_optional && put_null(job, step))) {
    cancel(job);  // first, so that the event of the fetch that failed is the last
    record_end(fetching, rpc::kUpstreamFailed, failure->reason, now);
    rpc::Error error = rpc::make_error(rpc::kUpstreamFailed, failure->reason, failure->message);
    error.retryable = failure->is_retryable;
    error.retry_after_ms = failure->retry_after_ms;
    return events_.on_step_failed(job, step, error);
  }
  if (failure) {
    record_end(fetching, rpc::kUpstreamFailed, failure->reason, now);
  } else {
    record_end(fetching, 0, result, now);
    events_.on_fetched(job, step, took_ns);
  }
  if (job.fetches_under_way == 0) events_.on_fetches_done(job, now);
}

void FetchStage::record_end(const Job::Fetching& fetching, int32_t code, std::string_view reason,
                            uint64_t now_ns) {
  Job& job = *fetching.job;
  const size_t step = step_of(fetching);
  recorder_.record(job.trail, EventKind::kFetchEnded, now_ns,
                   {.took_ns = now_ns - fetching.began_ns,
                    .code = code,
                    .reason = recorder_.name(reason),
                    .where = names_[fetch_step(job, step).upstream],
                    .step = static_cast<uint8_t>(step)});
}

// After the method's deadline the upstreams are to blame. A client that leaves or allows less time
// says nothing about them.
void FetchStage::cancel(Job& job) {
  const uint64_t now = now_ns();
  for (Job::Fetching& fetching : job.fetches) {
    if (job.fetches_under_way == 0) return;
    if (!fetching.fetch) continue;
    --job.fetches_under_way;
    record_end(fetching, rpc::kUpstreamFailed, "cut_off", now);
    fetching.upstream->cancel(std::exchange(fetching.fetch, {}), now >= method_deadline_ns(job));
  }
}

void FetchStage::adopt_answers(const FetchStage& before) {
  for (const auto& upstream : upstreams_) {
    for (const auto& former : before.upstreams_)
      upstream->adopt_answers(*former);
  }
}

size_t FetchStage::first_under_way(const Job& job) {
  const auto is_under_way = [](const Job::Fetching& one) { return bool(one.fetch); };
  return static_cast<size_t>(std::ranges::find_if(job.fetches, is_under_way) - job.fetches.begin());
}

std::string FetchStage::names_under_way(const Job& job) const {
  std::string names;
  for (const Job::Fetching& fetching : job.fetches) {
    if (!fetching.fetch) continue;
    names += (names.empty() ? "" : ", ") + fetching.upstream->options().name;
  }
  return names;
}

double FetchStage::wait_ns(const Method& method, const ClientShare& client) const {
  double wait_ns = 0;
  double longest_ns = 0;  // of the fetches that begin together
  for (const Step& step : method.steps) {
    const auto* fetch = std::get_if<FetchStep>(&step);
    if (fetch == nullptr) continue;
    if (!fetch->is_with_previous) longest_ns = 0;
    const double its_ns = upstreams_[fetch->upstream]->wait_ns(&client);
    wait_ns += std::max(its_ns - longest_ns, 0.0);
    longest_ns = std::max(its_ns, longest_ns);
  }
  return wait_ns;
}

}  // namespace ringmaster::master
