// Dispatcher: which requests become jobs, and what a job needs of its request.
#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/clock.h"
#include "master/pipeline/dispatcher.h"
#include "master/pipeline/refusals.h"

namespace ringmaster::master {

using telemetry::EventKind;

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
    return refuse(part_used_up(*part, places, "requests that may be in flight"));
  }
  Job* job = table_.allocate();
  if (job == nullptr) {
    return refuse(
        limit_reached("queue_full", fmt::format("{} requests are in flight", places), places));
  }
  const Ticket ticket = job->ticket;
  trail.request = ticket.request;
  if (extras.rehearsed == nullptr) recorder_.note_id(ticket.request, caller->client_id());
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
  job->is_chosen =
      extras.rehearsed == nullptr && is_rehearsable(method) && recent_jobs_.try_choose(number, now);
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

// The error when a limit is reached. Its retry_after is the expected time until a job is done.
rpc::Error Dispatcher::limit_reached(std::string reason, std::string message,
                                     uint64_t limit) const {
  rpc::Error error = overloaded(std::move(reason), std::move(message));
  error.limit = limit;
  if (const auto next_ns = scheduler_.next_done_ns())
    error.retry_after_ms = ms_rounded_up(*next_ns);
  return error;
}

rpc::Error Dispatcher::part_used_up(uint64_t part, uint64_t all, std::string_view what) const {
  return limit_reached(
      "fair_share",
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
  if (part) return tl::unexpected(part_used_up(*part, all, "bytes of payload memory"));
  return tl::unexpected(limit_reached(
      "payload_memory",
      fmt::format("no payload memory left for {} bytes of params or results", bytes), all));
}

Quote Dispatcher::quote(const Method& method, const ClientShare& client) {
  const uint64_t now = now_ns();
  return scheduler_.quote(client, add_method(method), now, now + method.timeout_ms * kNsPerMs,
                          fetch_stage_.wait_ns(method, client));
}

}  // namespace ringmaster::master
