// Admission: whether a request that comes in now would be done in time.
//
// It learns how long each step takes, knows what work was admitted and is not done yet, and lets in
// what can be done before its deadline without making late what was let in before. So in overload
// the workers do nothing in vain, and who is refused knows it at once, and when to come back.
//
// Pure: no clock, no I/O; time is an argument. Processes: the master only.
// Honesty: a step that never was measured takes no time, so nothing is refused for what is not
//          known. Who finds an idle worker is let in whatever is predicted: one wrong estimate,
//          which only new measurements can correct, must not shut a method out. Where the client
//          allows less time than the method does, that is tried more rarely: see find_hopeless().
// Order:   earliest deadline first, as the queue; what is published already goes before all.
// Limits:  work is kept by deadline, in steps of 17 ms: a prediction looks at no more of them than
//          there are jobs, and only where the sum of all work does not decide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/telemetry/moving_average.h"
#include "config/options.h"

namespace ringmaster::master {

class Admission {
 public:
  // What one admitted job stands for; part of the job.
  struct Load {
    uint64_t bucket = 0;
    uint64_t work_ns = 0;
    bool is_placed = false;
    bool is_arriving = false;   // it is still fetching
    bool is_abandoned = false;  // see on_abandoned()
  };
  struct Refusal {
    uint64_t predicted_ns;    // from now until it would be done
    uint64_t retry_after_ns;  // until the same request would be let in, if no others were
  };

  void set_workers(size_t count);

  // How long a step took, by its wall clock. A fetch that failed brings the workers no work.
  void on_fetched(const Step& step, uint64_t took_ns);
  void on_fetch_failed(const Step& step) { steps_[&step].success.add(0); }
  void on_run(const Step& step, uint64_t took_ns);
  // It has run for so long and is not done.
  void on_still_running(const Step& step, uint64_t ran_ns);

  // How long a run step takes on average. Empty: it was never measured.
  std::optional<double> run_ns(const Step& step) const;

  // Empty: let it in.
  std::optional<Refusal> predict(const Method& method, uint64_t now_ns, uint64_t deadline_ns) const;
  // For a request that predict() lets in and whose client allows less time than its method does: is
  // it known to take longer than that? It would be cut off and go on holding its worker. Empty: let
  // it in. One is let in all the same, now and then, to find out whether that still is so: not
  // while an abandoned job holds a worker, nor before kTrialNs, or ten times as long as such jobs
  // take, have passed since the last one was abandoned.
  std::optional<Refusal> find_hopeless(const Method& method, uint64_t now_ns, uint64_t deadline_ns);
  static constexpr uint64_t kTrialNs = 2'000'000'000;

  // When the next of the jobs should be done. Empty: nothing is known about them.
  std::optional<uint64_t> next_done_ns() const;

  // Where a job is, from `step` on: its former place is forgotten.
  void on_fetching(Load& load, const Method& method, size_t step, uint64_t now_ns,
                   uint64_t deadline_ns);
  void on_queued(Load& load, const Method& method, size_t step, uint64_t deadline_ns);
  // `work_ns_max`: it will not keep others from its worker for longer, whatever such jobs take.
  void on_published(Load& load, const Method& method, size_t step,
                    uint64_t work_ns_max = ~uint64_t{0});
  // It is published, and its client has been told that its time is over. For others that wait it
  // counts as kAbandonedNs: its worker is replaced then (see RunStage::end_abandoned).
  void on_abandoned(Load& load, const Method& method, uint64_t now_ns);
  static constexpr uint64_t kAbandonedNs = 100'000'000;
  void on_ended(Load& load);

 private:
  struct Estimate {
    MovingAverage time_ns;
    MovingAverage success;
  };
  struct Bucket {
    uint64_t jobs = 0;
    uint64_t work_ns = 0;   // of a worker
    uint64_t ready_ns = 0;  // when the last of its jobs is with the workers
  };
  // What the steps of a method from some step on need.
  struct Need {
    double fetch_ns = 0;
    double run_ns = 0;
    double margin_ns = 0;
    double success = 1;
  };

  Need need(const Method& method, size_t step) const;
  void place(Load& load, uint64_t bucket, double work_ns, uint64_t ready_ns);
  bool would_start_at_once(const Method& method) const;

  size_t workers_ = 1;
  std::unordered_map<const Step*, Estimate> steps_;
  std::unordered_map<const Method*, uint64_t> trial_due_ns_;  // of find_hopeless()
  std::map<uint64_t, Bucket> buckets_;  // by deadline; the first is what is published
  uint64_t jobs_ = 0;
  uint64_t arriving_ = 0;
  uint64_t abandoned_ = 0;
  uint64_t work_ns_ = 0;
  uint64_t last_ready_ns_ = 0;
};

}  // namespace ringmaster::master
