#include "master/pipeline/fetch_stage.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/telemetry/span_ids.h"
#include "config/payload_need.h"

namespace ringmaster::master {

using telemetry::EventKind;

namespace {

// The values of the step's parameters: those of earlier steps stand before them.
std::span<const std::string_view> values_for(const Job& job, const FetchStep& step) {
  size_t begin = 0;
  for (size_t i = 0; i < job.step; ++i) {
    const auto* earlier = std::get_if<FetchStep>(&job.method->steps[i]);
    if (earlier != nullptr) begin += earlier->body.names().size();
  }
  return std::span(job.found).subspan(begin, step.body.names().size());
}

// For the job's fetch: a child of the job's own span.
std::string traceparent_of(const Job& job) {
  if (!job.trail.trace.is_known()) return "";
  return make_traceparent(job.trail.trace, telemetry::fetch_span(job.ticket.request, job.step));
}

}  // namespace

FetchStage::FetchStage(ipc::PayloadStore& store, JobMemory& memory,
                       std::vector<std::unique_ptr<upstream::HttpClient>> http_clients,
                       StageEvents& events, telemetry::Recorder& recorder)
    : store_(store),
      memory_(memory),
      http_clients_(std::move(http_clients)),
      events_(events),
      recorder_(recorder) {
  for (const auto& http_client : http_clients_)
    names_.push_back(recorder.name(http_client->options().name));
}

void FetchStage::start(Job& job, const FetchStep& step, uint64_t now_ns) {
  tl::expected<std::string, std::string> body = step.body.render(values_for(job, step));
  if (!body) {
    return events_.on_step_failed(
        job, rpc::make_error(rpc::kInvalidParams, "missing_parameter",
                             fmt::format("expected the parameter {}, found none", body.error())));
  }
  upstream::HttpClient& http_client = *http_clients_[step.upstream];
  job.state = JobState::kFetching;
  job.products.push_back({});
  job.http_client = &http_client;
  job.step_began_ns = now_ns;
  recorder_.record(job.trail, EventKind::kFetchBegun, now_ns,
                   {.where = names_[step.upstream], .step = static_cast<uint8_t>(job.step)});
  job.fetch = http_client.start({
      std::move(*body),
      http_client.options().timeout_ms,  // the job's own timer enforces its deadline
      traceparent_of(job),
      job.entry.client,
      [this, &job](std::string_view bytes, uint64_t expected) {
        return take_bytes(job, bytes, expected);
      },
      [this, &job](const std::optional<upstream::HttpClient::Failure>& failure, uint64_t took_ns) {
        job.fetch = nullptr;
        on_done(job, failure, took_ns);
      },
  });
}

bool FetchStage::take_bytes(Job& job, std::string_view bytes, uint64_t expected) {
  Job::Product& body = job.products.back();
  const uint64_t needed = body.size + bytes.size();
  const uint64_t there = body.block.size == 0 ? 0 : store_.writable(body.block).size();
  if (needed > there) {
    const uint64_t next =
        expected > 0 ? expected : next_body_room(there, job.http_client->options().body_bytes);
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

void FetchStage::on_done(Job& job, const std::optional<upstream::HttpClient::Failure>& failure,
                         uint64_t took_ns) {
  const uint64_t now = now_ns();
  record_end(job, failure ? failure->reason : "", now);
  if (!failure) return events_.on_fetched(job, took_ns, now);
  rpc::Error error = rpc::make_error(rpc::kUpstreamFailed, failure->reason, failure->message);
  error.retryable = failure->is_retryable;
  events_.on_step_failed(job, error);
}

void FetchStage::record_end(Job& job, std::string_view reason, uint64_t now_ns) {
  recorder_.record(job.trail, EventKind::kFetchEnded, now_ns,
                   {.took_ns = now_ns - job.step_began_ns,
                    .code = reason.empty() ? 0 : rpc::kUpstreamFailed,
                    .reason = recorder_.name(reason),
                    .where = names_[std::get<FetchStep>(job.method->steps[job.step]).upstream],
                    .step = static_cast<uint8_t>(job.step)});
}

void FetchStage::cancel(Job& job) {
  record_end(job, "cut_off", now_ns());
  job.http_client->cancel(std::exchange(job.fetch, nullptr));
}

double FetchStage::wait_ns(const Method& method, const ClientShare& client) const {
  double wait_ns = 0;
  for (const Step& step : method.steps) {
    const auto* fetch = std::get_if<FetchStep>(&step);
    if (fetch != nullptr) wait_ns += http_clients_[fetch->upstream]->wait_ns(&client);
  }
  return wait_ns;
}

}  // namespace ringmaster::master
