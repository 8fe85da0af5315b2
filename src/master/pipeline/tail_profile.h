// TailProfile: on which functions slow and failed jobs spend their CPU time, beside normal ones.
//
// Workers sample their own stacks, and the samples of most jobs are never read. The profile reads
// the samples of the jobs that were slow or failed, and of one in kNormalOneIn of the others. It
// counts equal stacks, for each run step of each method.
// A job is slow when its run took longer than the step's bound, or when the master ended its
// worker. The bound: the mean of the recent runs, plus kDeviations times their mean deviation (if
// the times are exponentially distributed, 4 % of them are longer than the bound).
// Pure; the master only. One for each generation: addresses are a generation's own.
// Trust:  a worker can forge the samples of its own jobs, but not add to them as it likes: the
//         time from a job's publication to its end limits the job's ticks, and no time counts for
//         two jobs. Further ticks are left out.
// Limits: kStacksMax different stacks. At that number, the step and kind of job with the most
//         different stacks has its counts halved, and loses the stacks whose count is then 0. One
//         job of each kind in kSpacingNs. Jobs shorter than kShortestNs are not looked at: they
//         cost nothing, and are hardly ever sampled.
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
  // The kernel may deliver a tick late: a run may have this many more than its time allows.
  static constexpr uint64_t kLateTicks = 2;

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
    telemetry::MovingAverage took{256};
    uint64_t runs = 0;
    std::array<Jobs, kKinds> jobs;

    // 0: there is no bound yet.
    uint64_t bound_ns() const;
  };

  // One run of a job by a worker.
  struct Run {
    uint32_t method = 0;
    size_t step = 0;
    uint32_t worker = 0;
    uint64_t run_ns = 0;        // how long the run took
    uint64_t published_ns = 0;  // when the job was published; the run began later
    uint64_t ended_ns = 0;      // when the run ended: now
  };
  // Whether the samples of this run are wanted, and as which kind; empty: they are not.
  std::optional<Kind> on_run(const Run& run, bool has_failed);
  // Adds a run. `samples`: the newest first.
  void add(const Run& run, Kind kind, const std::vector<ipc::StackSample>& samples);
  void clear();

  const std::map<std::pair<uint32_t, size_t>, Step>& steps() const { return steps_; }

 private:
  // How many of these ticks of the run are accepted.
  uint64_t accept(const Run& run, uint64_t ticks);
  void halve_largest();

  std::map<std::pair<uint32_t, size_t>, Step> steps_;  // by method and step
  std::array<uint64_t, kKinds> next_ns_{};             // when the next job of a kind is wanted
  size_t stacks_ = 0;
  // By worker: up to when its time is used up by ticks that were accepted.
  std::vector<uint64_t> sampled_until_ns_;
  std::minstd_rand random_;
};

}  // namespace ringmaster::master
