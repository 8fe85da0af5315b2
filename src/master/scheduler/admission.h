// Admission: whether a request that arrives now would be done in time.
//
// Admission measures how long each step takes and sums the work that was admitted and is not done.
// It admits a request that can be done before its deadline without making an admitted one late. So
// in overload the workers do no work in vain, and a refused client knows at once when to retry.
//
// Pure: no clock, no I/O; time is an argument. Processes: the master only.
// Unknown: a step that was never measured counts as 0, so it causes no refusal. A request that
//          finds an idle worker is admitted whatever is predicted: else one wrong estimate could
//          shut a method out, since only new measurements correct it. Where the client allows less
//          time than the method does, such a trial is rarer: see find_hopeless().
// Order:   earliest deadline first, as in the queue; published jobs come before all others.
// Limits:  work is summed by deadline, in buckets of 17 ms. A prediction looks at no more buckets
//          than there are jobs, and only where the sum of all work does not decide.
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
  // The work of one admitted job; part of the job.
  struct Load {
    uint64_t bucket = 0;
    uint64_t work_ns = 0;
    bool is_placed = false;
    bool is_arriving = false;   // the job is still fetching
    bool is_abandoned = false;  // see on_abandoned()
  };
  struct Refusal {
    uint64_t predicted_ns;    // from now until the request would be done
    uint64_t retry_after_ns;  // until the same request would be let in, if no others were
  };

  void set_workers(size_t count);

  // How long a step took, by its wall clock. A fetch that failed brings the workers no work.
  void on_fetched(const Step& step, uint64_t took_ns);
  void on_fetch_failed(const Step& step) { steps_[&step].success.add(0); }
  void on_run(const Step& step, uint64_t took_ns);
  // A job's step has run for `ran_ns` and is not done.
  void on_still_running(const Step& step, uint64_t ran_ns);

  // How long a run step takes on average. Empty: the step was never measured.
  std::optional<double> run_ns(const Step& step) const;

  // Empty: let it in.
  std::optional<Refusal> predict(const Method& method, uint64_t now_ns, uint64_t deadline_ns) const;
  // For a request that predict() admits and whose client allows less time than its method does.
  // Refused if such jobs take longer than the client allows: the job would be abandoned and keep
  // its worker. Empty: admit it. One is admitted as a trial now and then, to measure again: not
  // while an abandoned job has a worker, nor before kTrialNs, or ten times such a job's time, have
  // passed since the last one was abandoned.
  std::optional<Refusal> find_hopeless(const Method& method, uint64_t now_ns, uint64_t deadline_ns);
  static constexpr uint64_t kTrialNs = 2'000'000'000;

  // From now until the next job should be done. Empty: unknown.
  std::optional<uint64_t> next_done_ns() const;

  // Moves a job to another state; `step`: the first of the steps still to be done.
  void on_fetching(Load& load, const Method& method, size_t step, uint64_t now_ns,
                   uint64_t deadline_ns);
  void on_queued(Load& load, const Method& method, size_t step, uint64_t deadline_ns);
  // `work_ns_max`: the job will not keep its worker for longer, however long such jobs take.
  void on_published(Load& load, const Method& method, size_t step,
                    uint64_t work_ns_max = ~uint64_t{0});
  // A published job passed its client's deadline. For the jobs that wait it counts as kAbandonedNs:
  // its worker is replaced then (see RunStage::end_abandoned).
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
    uint64_t ready_ns = 0;  // when the last of its jobs will have been fetched
  };
  // What a method's steps need, from some step on.
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
  std::map<uint64_t, Bucket> buckets_;  // by deadline; the first: published jobs
  uint64_t jobs_ = 0;
  uint64_t arriving_ = 0;
  uint64_t abandoned_ = 0;
  uint64_t work_ns_ = 0;
  uint64_t last_ready_ns_ = 0;
};

}  // namespace ringmaster::master
