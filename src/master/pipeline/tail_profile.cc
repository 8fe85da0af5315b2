#include "master/pipeline/tail_profile.h"

#include <algorithm>

namespace ringmaster::master {

uint64_t TailProfile::Step::bound_ns() const {
  if (runs < kRunsUntilBound) return 0;
  return static_cast<uint64_t>(took.mean() + kDeviations * took.deviation());
}

std::optional<TailProfile::Kind> TailProfile::on_run(const Run& run, bool has_failed) {
  if (run.run_ns < kShortestNs) return std::nullopt;
  Step& its = steps_[{run.method, run.step}];
  const uint64_t bound_ns = its.bound_ns();
  if (!has_failed) {  // errors may come sooner than results
    its.took.add(static_cast<double>(run.run_ns));
    ++its.runs;
  }
  const Kind kind = bound_ns != 0 && run.run_ns > bound_ns ? kSlow : has_failed ? kFailed : kNormal;
  if (kind == kNormal && random_() % kNormalOneIn != 0) return std::nullopt;
  if (run.ended_ns < next_ns_[kind]) return std::nullopt;
  next_ns_[kind] = run.ended_ns + kSpacingNs;
  return kind;
}

uint64_t TailProfile::accept(const Run& run, uint64_t ticks) {
  if (run.worker >= sampled_until_ns_.size()) sampled_until_ns_.resize(run.worker + 1);
  uint64_t& until_ns = sampled_until_ns_[run.worker];
  constexpr uint64_t kLateNs = kLateTicks * ipc::kSamplePeriodNs;
  until_ns = std::max(until_ns, run.published_ns - std::min(run.published_ns, kLateNs));
  const uint64_t free_ns = run.ended_ns - std::min(until_ns, run.ended_ns);
  const uint64_t accepted = std::min(ticks, free_ns / ipc::kSamplePeriodNs);
  until_ns += accepted * ipc::kSamplePeriodNs;
  return accepted;
}

void TailProfile::add(const Run& run, Kind kind, const std::vector<ipc::StackSample>& samples) {
  Jobs& jobs = steps_[{run.method, run.step}].jobs[kind];
  ++jobs.count;
  jobs.run_ns += run.run_ns;
  for (const ipc::StackSample& sample : samples) {
    const uint64_t ticks = accept(run, sample.ticks);
    if (ticks == 0) break;
    const auto [stack, is_new] =
        jobs.ticks_of.try_emplace(Stack(sample.frames.rbegin(), sample.frames.rend()), 0);
    stack->second += ticks;
    jobs.ticks += ticks;
    stacks_ += is_new;
  }
  while (stacks_ >= kStacksMax)
    halve_largest();
}

// An odd count is rounded up as often as down, so that many stacks of one sample keep their share.
void TailProfile::halve_largest() {
  Jobs* largest = nullptr;
  for (auto& [at, step] : steps_) {
    for (Jobs& jobs : step.jobs) {
      if (largest == nullptr || jobs.ticks_of.size() > largest->ticks_of.size()) largest = &jobs;
    }
  }
  largest->count /= 2;
  largest->run_ns /= 2;
  largest->ticks = 0;
  for (auto& [stack, ticks] : largest->ticks_of) {
    ticks = (ticks + random_() % 2) / 2;
    largest->ticks += ticks;
  }
  stacks_ -= std::erase_if(largest->ticks_of, [](const auto& one) { return one.second == 0; });
}

void TailProfile::clear() {
  steps_.clear();
  stacks_ = 0;
  sampled_until_ns_.clear();
}

}  // namespace ringmaster::master
