#include "master/scheduler/admission.h"

#include <algorithm>
#include <variant>

namespace ringmaster::master {
namespace {

// The width of a bucket: 2^24 ns, 17 ms.
constexpr unsigned kBucketBits = 24;
constexpr uint64_t kPublished = 0;  // the bucket of published jobs

// How much longer than predicted, as a share, the wait for other jobs may take: if the machine gets
// half as fast, admitted jobs are still in time. Where deadlines are a few times a job's run time
// this costs no throughput: the queue is only shorter.
constexpr double kWaitMargin = 1;
// The same for the job's own steps, in mean deviations.
constexpr double kOwnMargin = 2;

uint64_t bucket_of(uint64_t deadline_ns) {
  return std::max<uint64_t>(deadline_ns >> kBucketBits, kPublished + 1);
}

}  // namespace

void Admission::set_workers(size_t count) {
  // 0: the workers are being replaced, there will be as many again.
  if (count > 0) workers_ = count;
}

void Admission::on_fetched(const Step& step, uint64_t took_ns) {
  Estimate& estimate = steps_[&step];
  estimate.time_ns.add(static_cast<double>(took_ns));
  estimate.success.add(1);
}

void Admission::on_run(const Step& step, uint64_t took_ns) {
  steps_[&step].time_ns.add(static_cast<double>(took_ns));
}

void Admission::on_still_running(const Step& step, uint64_t ran_ns) {
  if (static_cast<double>(ran_ns) > run_ns(step).value_or(0)) on_run(step, ran_ns);
}

std::optional<double> Admission::run_ns(const Step& step) const {
  const auto found = steps_.find(&step);
  return found == steps_.end() ? std::nullopt : std::optional(found->second.time_ns.mean());
}

Admission::Need Admission::need(const Method& method, size_t step) const {
  Need need;
  for (; step < method.steps.size(); ++step) {
    const auto found = steps_.find(&method.steps[step]);
    if (found == steps_.end()) continue;
    const Estimate& estimate = found->second;
    const bool is_fetch = std::holds_alternative<FetchStep>(method.steps[step]);
    (is_fetch ? need.fetch_ns : need.run_ns) += estimate.time_ns.mean();
    need.margin_ns += kOwnMargin * estimate.time_ns.deviation();
    if (is_fetch && estimate.success.is_known()) need.success *= estimate.success.mean();
  }
  return need;
}

bool Admission::would_start_at_once(const Method& method) const {
  const bool begins_with_run = std::holds_alternative<RunStep>(method.steps.front());
  return (begins_with_run ? jobs_ - arriving_ : jobs_) < workers_;
}

std::optional<Admission::Refusal> Admission::predict(const Method& method, uint64_t now_ns,
                                                     uint64_t deadline_ns) const {
  if (would_start_at_once(method)) return std::nullopt;
  const Need own = need(method, 0);
  const double workers = static_cast<double>(workers_);
  const double deadline = static_cast<double>(deadline_ns - now_ns);
  const auto since_now = [now_ns](uint64_t ns) {
    return static_cast<double>(std::max(ns, now_ns) - now_ns);
  };
  // When the job would be done if the work before it takes `wait_ns`.
  const auto done_after = [&own](double wait_ns) {
    return std::max(own.fetch_ns, wait_ns * (1 + kWaitMargin)) + own.run_ns + own.margin_ns;
  };
  const double all_done = since_now(last_ready_ns_) + static_cast<double>(work_ns_) / workers;
  if (done_after(all_done) <= deadline) return std::nullopt;  // the common case, at no cost

  // Bucket by bucket, in the order in which the workers will serve them.
  const auto done_with = [&](double free, const Bucket& bucket) {
    return std::max(free, since_now(bucket.ready_ns)) +
           static_cast<double>(bucket.work_ns) / workers;
  };
  const auto behind = buckets_.upper_bound(bucket_of(deadline_ns));
  double free = 0;
  for (auto bucket = buckets_.begin(); bucket != behind; ++bucket)
    free = done_with(free, bucket->second);
  const double done = done_after(free);
  double late = std::min((done - deadline) / (1 + kWaitMargin), free);
  if (done <= deadline) {
    // The job itself would be in time. Would it make jobs with later deadlines late?
    late = 0;
    double delayed = std::max(free, own.fetch_ns) + own.run_ns / workers;
    for (auto bucket = behind; bucket != buckets_.end() && late == 0; ++bucket) {
      free = done_with(free, bucket->second);
      delayed = done_with(delayed, bucket->second);
      const double limit = since_now((bucket->first + 1) << kBucketBits);
      if (free <= limit && delayed > limit) late = delayed - limit;
    }
    if (late == 0) return std::nullopt;
  }
  return Refusal{static_cast<uint64_t>(done), static_cast<uint64_t>(std::max(late, 1.0))};
}

std::optional<Admission::Refusal> Admission::find_hopeless(const Method& method, uint64_t now_ns,
                                                           uint64_t deadline_ns) {
  const Need own = need(method, 0);
  const double takes_ns = own.fetch_ns + own.run_ns;
  if (takes_ns <= static_cast<double>(deadline_ns - now_ns)) return std::nullopt;
  uint64_t& due_ns = trial_due_ns_[&method];
  if (abandoned_ == 0 && now_ns >= due_ns) {
    due_ns = deadline_ns;  // one at a time
    return std::nullopt;
  }
  const uint64_t wait_ns = std::max(due_ns, now_ns + kAbandonedNs) - now_ns;
  return Refusal{static_cast<uint64_t>(takes_ns), wait_ns};
}

std::optional<uint64_t> Admission::next_done_ns() const {
  if (work_ns_ == 0) return std::nullopt;
  return work_ns_ / workers_ / jobs_;
}

void Admission::on_fetching(Load& load, const Method& method, size_t step, uint64_t now_ns,
                            uint64_t deadline_ns) {
  const Need left = need(method, step);
  on_ended(load);
  load.is_arriving = true;
  ++arriving_;
  place(load, bucket_of(deadline_ns), left.success * left.run_ns,
        now_ns + static_cast<uint64_t>(left.fetch_ns));
}

void Admission::on_queued(Load& load, const Method& method, size_t step, uint64_t deadline_ns) {
  const Need left = need(method, step);
  on_ended(load);
  place(load, bucket_of(deadline_ns), left.run_ns, 0);
}

void Admission::on_published(Load& load, const Method& method, size_t step, uint64_t work_ns_max) {
  const Need left = need(method, step);
  on_ended(load);
  place(load, kPublished, std::min(left.run_ns, static_cast<double>(work_ns_max)), 0);
}

void Admission::on_abandoned(Load& load, const Method& method, uint64_t now_ns) {
  const Need own = need(method, 0);
  on_ended(load);
  load.is_abandoned = true;
  ++abandoned_;
  place(load, kPublished, static_cast<double>(kAbandonedNs), 0);
  constexpr uint64_t kTimes = 10;
  trial_due_ns_[&method] =
      now_ns + std::max(kTrialNs, kTimes * static_cast<uint64_t>(own.fetch_ns + own.run_ns));
}

void Admission::place(Load& load, uint64_t bucket, double work_ns, uint64_t ready_ns) {
  load.bucket = bucket;
  load.work_ns = static_cast<uint64_t>(work_ns);
  load.is_placed = true;
  Bucket& there = buckets_[bucket];
  ++there.jobs;
  there.work_ns += load.work_ns;
  there.ready_ns = std::max(there.ready_ns, ready_ns);
  ++jobs_;
  work_ns_ += load.work_ns;
  last_ready_ns_ = std::max(last_ready_ns_, ready_ns);
}

void Admission::on_ended(Load& load) {
  if (!load.is_placed) return;
  const auto there = buckets_.find(load.bucket);
  there->second.work_ns -= load.work_ns;
  if (--there->second.jobs == 0) buckets_.erase(there);
  --jobs_;
  arriving_ -= load.is_arriving;
  abandoned_ -= load.is_abandoned;
  work_ns_ -= load.work_ns;
  load = {};
}

}  // namespace ringmaster::master
