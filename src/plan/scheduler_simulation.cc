#include "plan/scheduler_simulation.h"

#include <algorithm>

namespace ringmaster::plan {

SchedulerSimulation::SchedulerSimulation(size_t workers, uint64_t seed, Policy policy)
    : workers_(workers), policy_(policy), seed_(seed), idle_(workers) {
  scheduler_.set_workers(workers, 0);
}

size_t SchedulerSimulation::add_method(const Method& method) {
  master::MethodPlan plan{{}, method.concurrency, method.reserved_workers, method.batch};
  if (method.fetch) plan.steps.push_back(master::CostModel::StepKind::kFetch);
  plan.steps.push_back(master::CostModel::StepKind::kRun);
  scheduler_.add_method(plan);
  methods_.push_back(method);
  return methods_.size() - 1;
}

size_t SchedulerSimulation::add_client(const std::string& name, double weight,
                                       master::ShareTable::Kind kind) {
  clients_.push_back(scheduler_.shares().hold(name, kind, weight));
  return clients_.size() - 1;
}

void SchedulerSimulation::warm(size_t method, double cost) {
  const bool has_fetch = static_cast<bool>(methods_[method].fetch);
  scheduler_.costs().seed(static_cast<uint32_t>(method), has_fetch ? 1 : 0, cost * 1e9);
}

void SchedulerSimulation::schedule(double at, Kind kind, Running* source, std::vector<Job*> jobs) {
  events_.push({ns(at), ++orders_, kind, source, std::move(jobs)});
}

SchedulerSimulation::Running& SchedulerSimulation::add(const Source& source) {
  return sources_.emplace_back(Running{source, Random(seed_ * 1'000'003 + sources_.size())});
}

void SchedulerSimulation::add_open(const Source& source) {
  Running& added = add(source);
  const double first =
      source.is_regular ? 1 / source.rate : exponential(added.random, 1 / source.rate);
  schedule(source.from + first, Kind::kArrival, &added);
}

void SchedulerSimulation::add_closed(const Source& source, double at) {
  Running& added = add(source);
  added.source.is_closed = true;
  schedule(at, Kind::kRetry, &added);
}

void SchedulerSimulation::add_one(size_t client, size_t method, double at, double cost) {
  Source source;
  source.client = client;
  source.method = method;
  source.cost = fixed(cost);
  source.until = at;
  schedule(at, Kind::kArrival, &add(source));
}

void SchedulerSimulation::run(double until) {
  while (!events_.empty() && events_.top().at_ns <= ns(until)) {
    const Event event = events_.top();
    events_.pop();
    now_ns_ = event.at_ns;
    switch (event.kind) {
      case Kind::kArrival:
        arrive(*event.source);
        break;
      case Kind::kRetry:
        if (now() < event.source->source.until) {
          Job& job = jobs_.emplace_back();
          job.running = event.source;
          admit(job);
        }
        break;
      case Kind::kFetched: {
        Job& job = *event.jobs.front();
        if (policy_ == Policy::kScheduler) {
          scheduler_.costs().on_fetched(static_cast<uint32_t>(job.method), 0,
                                        static_cast<double>(now_ns_) - job.arrived * 1e9);
          scheduler_.on_left(job.entry);
        }
        enqueue(job);
        break;
      }
      case Kind::kDone:
        finish(event.jobs);
        break;
    }
    publish_waiting();
    if (after_event_) after_event_(*this);
  }
}

void SchedulerSimulation::arrive(Running& running) {
  const Source& source = running.source;
  for (size_t i = 0; i < source.at_once; ++i) {
    Job& job = jobs_.emplace_back();
    job.running = &running;
    admit(job);
  }
  if (source.rate == 0) return;  // a source of add_one(), with one arrival
  const double next =
      now() + (source.is_regular ? 1 / source.rate : exponential(running.random, 1 / source.rate));
  if (next <= source.until) schedule(next, Kind::kArrival, &running);
}

void SchedulerSimulation::admit(Job& job) {
  const Source& source = job.running->source;
  const Method& method = methods_[source.method];
  job.client = source.client;
  job.method = source.method;
  job.cost = source.cost(job.running->random);
  job.arrived = now();
  job.deadline = now() + method.allowed;
  if (policy_ == Policy::kScheduler) {
    master::ClientShare& client = *clients_[job.client];
    const uint32_t number = static_cast<uint32_t>(job.method);
    if (quotes_) job.quote = scheduler_.quote(client, number, now_ns_, ns(job.deadline));
    job.refusal = scheduler_.try_admit(job.entry, client, number, now_ns_, ns(job.deadline));
    if (job.refusal) {
      ++job.answers;
      return retry(job, source.retry);
    }
    by_entry_[&job.entry] = &job;
  }
  job.is_admitted = true;
  if (!method.fetch) return enqueue(job);
  if (policy_ == Policy::kScheduler) scheduler_.on_fetching(job.entry, 0);
  schedule(now() + method.fetch(job.running->random), Kind::kFetched, nullptr, {&job});
}

void SchedulerSimulation::retry(const Job& job, double after) {
  if (job.running->source.is_closed) schedule(now() + after, Kind::kRetry, job.running);
}

void SchedulerSimulation::enqueue(Job& job) {
  job.queued = now();
  if (policy_ == Policy::kEarliestDeadline) {
    by_deadline_.insert({job.deadline, ++orders_, &job});
  } else {
    const Method& method = methods_[job.method];
    scheduler_.on_queued(job.entry, method.fetch ? 1 : 0, method.batch);
  }
}

void SchedulerSimulation::expire(Job& job) {
  job.is_expired = true;
  ++job.answers;
  by_entry_.erase(&job.entry);
  scheduler_.on_ended(job.entry, now_ns_, false);
  retry(job, 0);
}

void SchedulerSimulation::publish_waiting() {
  if (policy_ == Policy::kEarliestDeadline) {
    while (idle_ > ring_.size() && !by_deadline_.empty()) {
      ring_.push_back(std::get<2>(*by_deadline_.begin()));
      by_deadline_.erase(by_deadline_.begin());
    }
    return take_published();
  }
  while (master::Entry* entry = scheduler_.next(now_ns_)) {
    Job& job = *by_entry_.at(entry);
    if (entry->deadline_ns <= static_cast<int64_t>(now_ns_)) {
      expire(job);
      continue;
    }
    scheduler_.on_published(*entry, now_ns_);
    ring_.push_back(&job);
  }
  take_published();
}

void SchedulerSimulation::take_published() {
  while (idle_ > 0 && !ring_.empty()) {
    const master::WorkerUnit* unit = ring_.front()->entry.unit;
    std::vector<Job*> taken;
    double cost = methods_[ring_.front()->method].batch_cost;
    while (!ring_.empty() &&
           (taken.empty() || (unit != nullptr && ring_.front()->entry.unit == unit))) {
      taken.push_back(ring_.front());
      ring_.pop_front();
      taken.back()->begun = now();
      cost += taken.back()->cost;
    }
    --idle_;
    busy_ += cost;
    for (Job* job : taken)
      job->cost = cost / static_cast<double>(taken.size());
    schedule(now() + cost, Kind::kDone, nullptr, taken);
  }
}

void SchedulerSimulation::finish(const std::vector<Job*>& jobs) {
  ++idle_;
  for (Job* job : jobs) {
    job->finished = now();
    ++job->answers;
    if (policy_ == Policy::kScheduler) {
      by_entry_.erase(&job->entry);
      scheduler_.on_done(job->entry, now_ns_, ns(job->cost));
      scheduler_.on_ended(job->entry, now_ns_, true);
    }
    retry(*job, 0);
  }
  take_published();
}

}  // namespace ringmaster::plan
