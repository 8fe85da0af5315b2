#include "master/pipeline/tail_profile.h"

namespace ringmaster::master {

uint64_t TailProfile::Step::bound_ns() const {
  if (runs < kRunsUntilBound) return 0;
  return static_cast<uint64_t>(took.mean() + kDeviations * took.deviation());
}

std::optional<TailProfile::Kind> TailProfile::on_run(uint32_t method, size_t step, uint64_t run_ns,
                                                     bool has_failed, uint64_t now_ns) {
  if (run_ns < kShortestNs) return std::nullopt;
  Step& its = steps_[{method, step}];
  const uint64_t bound_ns = its.bound_ns();
  if (!has_failed) {  // errors may come sooner than results
    its.took.add(static_cast<double>(run_ns));
    ++its.runs;
  }
  const Kind kind = bound_ns != 0 && run_ns > bound_ns ? kSlow : has_failed ? kFailed : kNormal;
  if (kind == kNormal && random_() % kNormalOneIn != 0) return std::nullopt;
  if (now_ns < next_ns_[kind]) return std::nullopt;
  next_ns_[kind] = now_ns + kSpacingNs;
  return kind;
}

void TailProfile::add(uint32_t method, size_t step, Kind kind, uint64_t run_ns,
                      const std::vector<ipc::StackSample>& samples) {
  Jobs& jobs = steps_[{method, step}].jobs[kind];
  ++jobs.count;
  jobs.run_ns += run_ns;
  for (const ipc::StackSample& sample : samples) {
    const auto [stack, is_new] =
        jobs.ticks_of.try_emplace(Stack(sample.frames.rbegin(), sample.frames.rend()), 0);
    stack->second += sample.ticks;
    jobs.ticks += sample.ticks;
    stacks_ += is_new;
  }
  while (stacks_ >= kStacksMax)
    halve();
}

// An odd count is rounded up as often as down, so that many stacks of one sample keep their share.
void TailProfile::halve() {
  stacks_ = 0;
  for (auto& [at, step] : steps_) {
    for (Jobs& jobs : step.jobs) {
      jobs.count /= 2;
      jobs.run_ns /= 2;
      jobs.ticks = 0;
      for (auto& [stack, ticks] : jobs.ticks_of) {
        ticks = (ticks + random_() % 2) / 2;
        jobs.ticks += ticks;
      }
      std::erase_if(jobs.ticks_of, [](const auto& one) { return one.second == 0; });
      stacks_ += jobs.ticks_of.size();
    }
  }
}

void TailProfile::clear() {
  steps_.clear();
  stacks_ = 0;
}

}  // namespace ringmaster::master
