#include "master/pipeline/job.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/clock.h"

namespace ringmaster::master {
namespace {

uint64_t requests = 0;  // the number of requests so far, in all tables

}  // namespace

JobTable::JobTable(ipc::PayloadStore& store, uint32_t slots) : store_(store), capacity_(slots) {
  RM_ASSERT(slots > 0 && slots <= ipc::kJobSlotsMax);
}

Job* JobTable::allocate() {
  if (free_.empty()) {
    if (jobs_.size() == capacity_) return nullptr;
    free_.push_back(static_cast<uint32_t>(jobs_.size()));
    jobs_.push_back(std::make_unique<Job>());
    jobs_.back()->ticket.slot = jobs_.back()->publication.job = free_.back();
  }
  Job& job = *jobs_[free_.back()];  // the last one that was freed: its memory is in the cache
  free_.pop_back();
  job.ticket.request = ++requests;
  job.entry.ticket = job.ticket;
  job.step = 0;
  job.attempts = 0;
  job.has_begun = false;
  job.cpu_ns = 0;
  job.is_chosen = false;
  return &job;
}

void JobTable::free(Job& job) {
  RM_ASSERT(job.state != JobState::kFree && job.caller == nullptr && job.fetches_under_way == 0);
  for (const Job::Product& product : job.products) {
    if (product.block.size > 0) store_.free(product.block);
  }
  job.products.clear();
  job.found.clear();
  job.rehearsed.reset();
  job.deaths.clear();  // their reports are long
  job.state = JobState::kFree;
  RM_ASSERT(job.timer.due_ms == 0);
  free_.push_back(job.ticket.slot);
}

Job* JobTable::find(Ticket ticket) {
  if (ticket.slot >= jobs_.size()) return nullptr;
  Job& job = *jobs_[ticket.slot];
  return job.state != JobState::kFree && job.ticket == ticket ? &job : nullptr;
}

Job* JobTable::find_published(ipc::Publication id) {
  if (id.job >= jobs_.size()) return nullptr;
  Job& job = *jobs_[id.job];
  return is_with_workers(job) && job.publication == id ? &job : nullptr;
}

std::string_view text_of(const ipc::PayloadStore& store, const Job::Product& product) {
  if (product.size == 0) return {};
  return {store.writable(product.block).data(), product.size};
}

RequestTexts request_of(const ipc::PayloadStore& store, const Job& job) {
  const Job::Product& params = job.products.front();
  Job::Product all = params;
  all.size += job.id_bytes + job.traceparent_bytes + job.client_bytes;
  std::string_view left = text_of(store, all);
  const auto take = [&left](size_t size) {
    const std::string_view taken = left.substr(0, size);
    left.remove_prefix(size);
    return taken;
  };
  return {take(params.size), take(job.id_bytes), take(job.traceparent_bytes), left};
}

void append_job_fields(std::vector<LogField>& fields, const Job& job) {
  fields.emplace_back("request", job.ticket.request);
  const std::string_view id = job.caller == nullptr ? "" : job.caller->client_id();
  if (!id.empty()) fields.emplace_back("id", id);
  fields.emplace_back("method", job.method->name);
  if (job.trail.trace.is_known()) fields.emplace_back("trace", trace_id(job.trail.trace));
}

rpc::Error deadline_exceeded(uint64_t allowed_ms) {
  rpc::Error error = rpc::make_error(rpc::kDeadlineExceeded, "deadline",
                                     fmt::format("not finished within {} ms", allowed_ms));
  error.retryable = true;
  return error;
}

}  // namespace ringmaster::master
