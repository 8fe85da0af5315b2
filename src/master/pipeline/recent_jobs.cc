#include "master/pipeline/recent_jobs.h"

#include <utility>

namespace ringmaster::master {

size_t RecentJob::bytes() const {
  size_t sum = params.size() + id.size() + result.size();
  for (const std::string& output : outputs)
    sum += output.size();
  return sum;
}

RecentJobs::OfMethod& RecentJobs::method(uint32_t number) {
  if (number >= methods_.size()) methods_.resize(number + 1);
  return methods_[number];
}

bool RecentJobs::try_choose(uint32_t method, uint64_t now_ns) {
  if (count_ == 0) return false;
  uint64_t& next_ns = this->method(method).next_ns;
  if (now_ns < next_ns) return false;
  next_ns = now_ns + kBetweenNs;
  return true;
}

void RecentJobs::keep(uint32_t method, RecentJob job) {
  keep(this->method(method), std::make_shared<const RecentJob>(std::move(job)));
}

void RecentJobs::keep(OfMethod& its, std::shared_ptr<const RecentJob> job) {
  if (job->bytes() > kJobBytesMax) return;
  its.bytes += job->bytes();
  its.kept.push_back(std::move(job));
  while (its.kept.size() > count_ || its.bytes > kMethodBytesMax) {
    its.bytes -= its.kept.front()->bytes();
    its.kept.pop_front();
  }
}

void RecentJobs::adopt(uint32_t method, const RecentJobs& before, uint32_t its) {
  for (const std::shared_ptr<const RecentJob>& job : before.of(its))
    keep(this->method(method), job);
}

const RecentJobs::Kept& RecentJobs::of(uint32_t method) const {
  static const Kept kNone;
  return method < methods_.size() ? methods_[method].kept : kNone;
}

}  // namespace ringmaster::master
