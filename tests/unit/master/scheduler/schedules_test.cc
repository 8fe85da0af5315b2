// Random schedules in virtual time: invariants that hold in all of them.
//
// RINGMASTER_SCHEDULES: the number of schedules; a million takes ten minutes.
// RINGMASTER_SCHEDULES_SEED: the seed of the first schedule.
#include <algorithm>
#include <doctest/doctest.h>

#include "plan/scheduler_simulation.h"
#include "support.h"

namespace ringmaster::master {
namespace {

using plan::exponential;
using plan::fixed;
using plan::Random;
using plan::SchedulerSimulation;
using plan::uniform;

template <class T, size_t kCount>
T one_of(Random& random, const T (&values)[kCount]) {
  return values[random() % kCount];
}

struct Shape {
  size_t workers = 0;
  size_t clients = 0;
  size_t methods = 0;
  bool has_fetch = false;
  bool has_lanes = false;
};

struct Schedule {
  Shape shape;
  std::unique_ptr<SchedulerSimulation> simulation;
};

// 150 requests. Each method always takes the same time, which the scheduler knows.
Schedule make_schedule(uint64_t seed, bool with_lanes) {
  Random random(seed);
  Schedule schedule;
  Shape& shape = schedule.shape;
  shape.workers = one_of<size_t>(random, {1, 2, 2, 3, 8});
  schedule.simulation = std::make_unique<SchedulerSimulation>(shape.workers, seed);
  SchedulerSimulation& simulation = *schedule.simulation;
  std::vector<double> costs;
  const size_t wanted = 1 + random() % 4;
  while (costs.size() < wanted) {
    SchedulerSimulation::Method method;
    method.allowed = one_of<double>(random, {.05, .2, 1, 1, 5, 20});
    const double fetch = one_of<double>(random, {0, 0, .07});
    const double cost = one_of<double>(random, {1e-4, 1e-3, .01, .03, .1, .4});
    if (method.allowed <= fetch + 4 * cost) continue;
    if (fetch > 0) method.fetch = fixed(fetch);
    shape.has_fetch |= fetch > 0;
    if (with_lanes && random() % 2 == 0) {
      method.concurrency = one_of<size_t>(random, {0, 1, 2});
      method.reserved_workers = one_of<size_t>(random, {0, 0, 1});
      shape.has_lanes |= method.concurrency + method.reserved_workers > 0;
    }
    simulation.warm(simulation.add_method(method), cost);
    costs.push_back(cost);
  }
  shape.methods = costs.size();
  shape.clients = one_of<size_t>(random, {1, 1, 2, 3, 8, 30});
  std::vector<double> popularity;
  double sum = 0;
  for (size_t i = 0; i < shape.clients; ++i) {
    const bool is_address = random() % 4 == 0;
    simulation.add_client("c" + std::to_string(i), one_of<double>(random, {1, 1, 1, 2, 4}),
                          is_address ? ShareTable::Kind::kAddress : ShareTable::Kind::kNamed);
    popularity.push_back(std::pow(uniform(random), 3) + .01);
    sum += popularity.back();
  }
  double mean = 0;
  for (const double cost : costs)
    mean += cost / static_cast<double>(costs.size());
  const double load = one_of<double>(random, {.3, .8, 1, 1.5, 3, 10});
  const double rate = load * static_cast<double>(shape.workers) / mean;
  double at = 0;
  for (int i = 0; i < 150; ++i) {
    if (uniform(random) < .9) at += exponential(random, 1 / rate);  // else at the same time
    double chosen = uniform(random) * sum;
    size_t client = 0;
    while (client + 1 < shape.clients && chosen > popularity[client])
      chosen -= popularity[client++];
    const size_t method = random() % costs.size();
    simulation.add_one(client, method, at, costs[method]);
  }
  return schedule;
}

struct Totals {
  uint64_t requests = 0;
  uint64_t admitted = 0;
  uint64_t late = 0;
  uint64_t single_admitted = 0;  // one client, one method, no fetch, no lanes
  uint64_t single_late = 0;
  uint64_t idled = 0;
  uint64_t unanswered = 0;
  uint64_t unsettled = 0;
};

// Whether a worker is idle though a job may run: its lane is not at its limit, and the idle worker
// is not kept free for another lane.
bool is_idle_in_vain(SchedulerSimulation& simulation) {
  const Scheduler& scheduler = simulation.scheduler();
  const size_t idle = simulation.idle_workers();
  if (idle == 0 || scheduler.queued_jobs() == 0) return false;
  for (const Lane& lane : scheduler.lanes()) {
    if (scheduler.queued_jobs(lane) == 0 || lane.is_at_limit()) continue;
    size_t kept = 0;
    for (const Lane& other : scheduler.lanes()) {
      const size_t used = std::min(other.reserved_workers, other.out);
      if (&other != &lane) kept += other.reserved_workers - used;
    }
    if (idle > std::min(kept, simulation.workers() - 1)) return true;
  }
  return false;
}

void run_schedule(uint64_t seed, bool with_lanes, Totals& totals) {
  const Schedule schedule = make_schedule(seed, with_lanes);
  SchedulerSimulation& simulation = *schedule.simulation;
  const Shape& shape = schedule.shape;
  simulation.set_hook(
      [&](SchedulerSimulation& running) { totals.idled += is_idle_in_vain(running); });
  simulation.run(1e9);
  const bool is_single =
      shape.clients == 1 && shape.methods == 1 && !shape.has_fetch && !shape.has_lanes;
  for (const SchedulerSimulation::Job& job : simulation.jobs()) {
    ++totals.requests;
    totals.unanswered += job.answers != 1;
    if (!job.is_admitted) continue;
    ++totals.admitted;
    totals.late += !job.is_in_time();
    totals.single_admitted += is_single;
    totals.single_late += is_single && !job.is_in_time();
  }
  const Scheduler& scheduler = simulation.scheduler();
  const WorkerLoad& load = scheduler.load();
  totals.unsettled += scheduler.jobs() + static_cast<uint64_t>(scheduler.waiting_ns()) +
                      scheduler.queued_jobs() + load.units() + load.jobs() +
                      static_cast<uint64_t>(load.room_ns() + load.work_ns());
}

// All clients always have work waiting, and all jobs of a client take about the same time. Returns
// the largest difference between two clients' service by weight over any interval, divided by the
// bound. The bound is the largest job of each client, plus the time that running jobs take beyond
// their expected time, which the scheduler learns only at their end. The expected time is an
// average of 64 jobs, so it is itself off by up to a quarter of the spread.
double worst_unfairness(uint64_t seed, double spread) {
  Random random(seed);
  const size_t workers = one_of<size_t>(random, {1, 2, 4});
  const size_t clients = one_of<size_t>(random, {2, 3, 6});
  SchedulerSimulation simulation(workers, seed);
  std::vector<double> weights;
  std::vector<double> largest;
  for (size_t i = 0; i < clients; ++i) {
    const double cost = one_of<double>(random, {.001, .01, .03, .1});
    weights.push_back(one_of<double>(random, {1, 2, 4}));
    largest.push_back((1 + spread) * cost);
    const size_t method = simulation.add_method({.allowed = 1e6});
    simulation.warm(method, cost);
    const size_t client = simulation.add_client("c" + std::to_string(i), weights.back());
    for (size_t k = 0; k < 8 * workers; ++k) {
      simulation.add_closed(
          {.client = client, .method = method, .cost = [cost, spread](Random& of_source) {
             return cost * (1 + spread * (2 * uniform(of_source) - 1));
           }});
    }
  }
  simulation.run(13);
  std::vector<const SchedulerSimulation::Job*> jobs;
  for (const SchedulerSimulation::Job& job : simulation.jobs()) {
    if (job.begun > 8) jobs.push_back(&job);  // until then, clients use up their first credit
  }
  std::stable_sort(jobs.begin(), jobs.end(),
                   [](const auto* a, const auto* b) { return a->begun < b->begun; });
  double worst = 0;
  for (size_t a = 0; a < clients; ++a) {
    for (size_t b = a + 1; b < clients; ++b) {
      double ahead = 0;
      double low = 0;
      double high = 0;
      for (size_t i = 0; i < jobs.size(); ++i) {
        if (jobs[i]->client == a) ahead += jobs[i]->cost / weights[a];
        if (jobs[i]->client == b) ahead -= jobs[i]->cost / weights[b];
        if (i + 1 < jobs.size() && jobs[i + 1]->begun == jobs[i]->begun) continue;
        low = std::min(low, ahead);
        high = std::max(high, ahead);
      }
      const double of_each = largest[a] / weights[a] + largest[b] / weights[b];
      const double unexpected = static_cast<double>(workers) * 1.25 * spread / (1 + spread);
      const double bound = of_each * (1 + unexpected);
      worst = std::max(worst, (high - low) / bound);
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("scheduler: the service of two clients with work differs by a job of each at most") {
  const uint64_t count = test::from_environment("RINGMASTER_SCHEDULES", 3000) / 100;
  for (const double spread : {0.0, 0.5}) {
    double worst = 0;
    for (uint64_t seed = 1; seed <= count; ++seed) {
      const double found = worst_unfairness(seed, spread);
      worst = std::max(worst, found);
      if (found > 1 + 1e-6) FAIL_CHECK("seed ", seed, ": ", found);
    }
    MESSAGE("costs up to ", spread, " off: the largest difference is ", worst, " of the bound");
  }
}

TEST_CASE("scheduler: in random schedules each request gets one answer, and no worker idles") {
  const uint64_t count = test::from_environment("RINGMASTER_SCHEDULES", 3000);
  const uint64_t first = test::from_environment("RINGMASTER_SCHEDULES_SEED", 1);
  MESSAGE("seeds ", first, " to ", first + count - 1);
  Totals totals;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const Totals before = totals;
    run_schedule(seed, seed % 2 == 1, totals);
    const bool is_broken = totals.idled != before.idled || totals.unsettled != before.unsettled ||
                           totals.unanswered != before.unanswered ||
                           totals.single_late != before.single_late;
    if (is_broken) FAIL_CHECK("seed ", seed);
  }
  MESSAGE(totals.requests, " requests, ", totals.admitted, " admitted, ", totals.late,
          " of them late; of one client and method ", totals.single_admitted, ", ",
          totals.single_late, " late");
  CHECK(totals.unanswered == 0);
  CHECK(totals.unsettled == 0);
  CHECK(totals.idled == 0);
  CHECK(totals.single_late == 0);
  CHECK(totals.late * 1000 <= totals.admitted);
}

}  // namespace ringmaster::master
