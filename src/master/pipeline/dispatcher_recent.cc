// Dispatcher: the jobs that are kept for a rehearsal, and how a rehearsal runs them again.
#include <utility>

#include "master/pipeline/dispatcher.h"

namespace ringmaster::master {

void Dispatcher::keep_recent(size_t count) {
  recent_jobs_ = RecentJobs(count);
}

const RecentJobs::Kept& Dispatcher::recent(const Method& method) const {
  return recent_jobs_.of(method_numbers_.at(&method));
}

void Dispatcher::adopt_recent(const Method& method, const Dispatcher& before, const Method& its) {
  if (!is_rehearsable(method)) return;
  recent_jobs_.adopt(add_method(method), before.recent_jobs_, before.method_numbers_.at(&its));
}

// A job that has cost a worker is no example of how a job should go.
void Dispatcher::keep(const Job& job, std::string_view result, uint64_t now_ns) {
  if (!job.is_chosen || job.caller == nullptr || !job.deaths.empty()) return;
  uint64_t bytes = result.size();
  for (const Job::Product& product : job.products)
    bytes += product.size;
  if (bytes > RecentJobs::kJobBytesMax) return;  // before anything is copied
  const RequestTexts request = request_of(store_, job);
  RecentJob kept{.params = std::string(request.params),
                 .id = std::string(request.id),
                 .outputs = {},
                 .result = std::string(result),
                 .cpu_ns = job.cpu_ns,
                 .took_ns = took_ns(job, now_ns),
                 .request = job.ticket.request};
  for (size_t i = 1; i < job.products.size(); ++i)
    kept.outputs.emplace_back(text_of(store_, job.products[i]));
  recent_jobs_.keep(job.entry.method, std::move(kept));
}

// Gives the fetches that begin together the outputs that the former job had.
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

}  // namespace ringmaster::master
