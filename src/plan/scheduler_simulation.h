// SchedulerSimulation: workers, arrivals and costs in virtual time, around the real scheduler.
//
// Each worker takes the published jobs in their order: one at a time, or the jobs of a batch
// together. The seed decides everything. Times and costs are in seconds, rates per
// second. Nothing but fetches and jobs takes time: the master takes none.
//
// `ringmaster plan` and the unit tests of master/scheduler use this class. Pure.
// Memory: the simulation keeps each job, some 700 bytes, until its destructor runs.
//
// Example: two workers at 80% load.
//   SchedulerSimulation simulation(2, 1);
//   const size_t burn = simulation.add_method({});
//   const size_t user = simulation.add_client("user");
//   simulation.add_open({.client = user, .method = burn, .rate = 53, .cost = fixed(0.03)});
//   simulation.run(100);
#pragma once

#include <cmath>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "master/scheduler/scheduler.h"

namespace ringmaster::plan {

using Random = std::mt19937_64;
using Sample = std::function<double(Random&)>;

inline double uniform(Random& random) {
  return static_cast<double>(random() >> 11) * 0x1p-53;
}
inline double exponential(Random& random, double mean) {
  return -std::log(1 - uniform(random)) * mean;
}
inline Sample fixed(double value) {
  return [value](Random&) { return value; };
}

class SchedulerSimulation {
 public:
  enum class Policy {
    kScheduler,
    kEarliestDeadline,  // an ideal: admits all jobs, and chooses the next when a worker is free
  };
  struct Method {
    double allowed = 1;
    Sample fetch = {};  // empty: no fetch step
    size_t concurrency = 0;
    size_t reserved_workers = 0;
    uint64_t batch = 1;
    double batch_cost = 0;  // of each batch, besides its jobs' costs
  };
  struct Source {
    size_t client = 0;
    size_t method = 0;
    double rate = 0;  // of an open source: Poisson, unless is_regular
    Sample cost = {};
    double from = 0;
    double until = 1e9;
    size_t at_once = 1;  // of an open source: requests in each arrival
    bool is_regular = false;
    bool is_closed = false;
    double retry = 0.1;  // of a closed source: the wait after a refusal
  };
  // A source with random numbers of its own: other sources do not change its arrivals and costs.
  struct Running {
    Source source;
    Random random;
  };
  struct Job {
    size_t client;
    size_t method;
    double cost;
    double arrived;
    double deadline;
    Running* running = nullptr;
    bool is_admitted = false;
    bool is_expired = false;
    std::optional<master::AdmissionRefusal> refusal;
    std::optional<master::Quote> quote;
    double queued = -1;  // when it began to wait for a worker
    double begun = -1;
    double finished = -1;
    int answers = 0;
    master::Entry entry;

    bool is_in_time() const { return finished >= 0 && finished <= deadline; }
  };

  SchedulerSimulation(size_t workers, uint64_t seed, Policy policy = Policy::kScheduler);

  size_t add_method(const Method& method);
  size_t add_client(const std::string& name, double weight = 1,
                    master::ShareTable::Kind kind = master::ShareTable::Kind::kNamed);
  void add_open(const Source& source);
  void add_closed(const Source& source, double at = 0);
  void add_one(size_t client, size_t method, double at, double cost);
  // Makes the method's cost known from the start.
  void warm(size_t method, double cost);
  // Whether each job gets a quote before its admission.
  void set_quotes(bool is_on) { quotes_ = is_on; }
  // Called after each event.
  void set_hook(std::function<void(SchedulerSimulation&)> after_event) {
    after_event_ = std::move(after_event);
  }

  void run(double until);

  master::Scheduler& scheduler() { return scheduler_; }
  master::ClientShare& client(size_t index) { return *clients_[index]; }
  const std::deque<Job>& jobs() const { return jobs_; }
  size_t workers() const { return workers_; }
  size_t idle_workers() const { return idle_; }
  double now() const { return static_cast<double>(now_ns_) * 1e-9; }
  double busy() const { return busy_; }
  // The part of the workers' time, from the start to `until`, in which they were busy.
  double utilisation(double until) const { return busy_ / until / static_cast<double>(workers_); }

 private:
  enum class Kind : uint8_t { kArrival, kFetched, kDone, kRetry };
  struct Event {
    uint64_t at_ns;
    uint64_t order;
    Kind kind;
    Running* source;
    std::vector<Job*> jobs;
    bool operator>(const Event& other) const {
      return at_ns != other.at_ns ? at_ns > other.at_ns : order > other.order;
    }
  };
  static uint64_t ns(double seconds) { return static_cast<uint64_t>(seconds * 1e9 + 0.5); }

  void schedule(double at, Kind kind, Running* source, std::vector<Job*> jobs = {});
  Running& add(const Source& source);
  void arrive(Running& running);
  void admit(Job& job);
  void enqueue(Job& job);
  void retry(const Job& job, double after);
  void publish_waiting();
  void expire(Job& job);
  void take_published();
  void finish(const std::vector<Job*>& jobs);

  size_t workers_;
  Policy policy_;
  uint64_t seed_;
  master::Scheduler scheduler_;
  std::vector<Method> methods_;
  std::vector<std::shared_ptr<master::ClientShare>> clients_;
  std::deque<Running> sources_;
  std::deque<Job> jobs_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  uint64_t orders_ = 0;
  uint64_t now_ns_ = 0;
  size_t idle_;
  std::deque<Job*> ring_;
  std::map<const master::Entry*, Job*> by_entry_;
  std::set<std::tuple<double, uint64_t, Job*>> by_deadline_;  // kEarliestDeadline: waiting jobs
  double busy_ = 0;
  bool quotes_ = false;
  std::function<void(SchedulerSimulation&)> after_event_;
};

}  // namespace ringmaster::plan
