// TailProfile: on which functions slow and failed jobs spend their CPU time, beside normal ones.
//
// Workers sample their own stacks, and the samples of most jobs are never read. The profile reads
// the samples of the jobs that were slow or failed, and of one in kNormalOneIn of the others. It
// counts equal stacks, for each run step of each method.
// A job is slow when its run took longer than the step's bound: the mean of the recent runs and
// kDeviations mean deviations (of exponentially distributed times 4 % are longer), or when the
// master ended its worker.
// Pure; the master only. One for each generation: addresses are a generation's own.
// Trust:  samples are a worker's: a worker can forge those of its own jobs.
// Limits: kStacksMax different stacks. Once there are as many, all counts are halved, and stacks
//         whose count becomes 0 are dropped. One job of each kind in kSpacingNs. Jobs shorter than
//         kShortestNs are not looked at: they cost nothing, and are hardly ever sampled.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "base/clock.h"
#include "base/telemetry/moving_average.h"
#include "ipc/sample_ring.h"

namespace ringmaster::master {

class TailProfile {
 public:
  static constexpr uint64_t kNormalOneIn = 16;
  static constexpr double kDeviations = 3;
  static constexpr uint64_t kRunsUntilBound = 32;  // there is no bound before
  static constexpr size_t kStacksMax = 2000;
  static constexpr uint64_t kSpacingNs = 1 * kNsPerMs;
  static constexpr uint64_t kShortestNs = 100'000;

  enum Kind : uint8_t { kSlow, kFailed, kNormal };
  static constexpr size_t kKinds = 3;

  using Stack = std::vector<uint64_t>;  // addresses, outermost first
  // What the jobs of one kind did.
  struct Jobs {
    uint64_t count = 0;
    uint64_t run_ns = 0;  // of all together
    uint64_t ticks = 0;   // of all their samples
    std::map<Stack, uint64_t> ticks_of;
  };
  // A run step of a method.
  struct Step {
    MovingAverage took{256};
    uint64_t runs = 0;
    std::array<Jobs, kKinds> jobs;

    // 0: there is none yet.
    uint64_t bound_ns() const;
  };

  // A job was run, and took so long. Returns the kind for add(); empty: its samples are not wanted.
  std::optional<Kind> on_run(uint32_t method, size_t step, uint64_t run_ns, bool has_failed,
                             uint64_t now_ns);
  // Adds a job.
  void add(uint32_t method, size_t step, Kind kind, uint64_t run_ns,
           const std::vector<ipc::StackSample>& samples);
  void clear();

  const std::map<std::pair<uint32_t, size_t>, Step>& steps() const { return steps_; }

 private:
  void halve();

  std::map<std::pair<uint32_t, size_t>, Step> steps_;  // by method and step
  std::array<uint64_t, kKinds> next_ns_{};             // when the next job of a kind is wanted
  size_t stacks_ = 0;
  std::minstd_rand random_;
};

}  // namespace ringmaster::master
