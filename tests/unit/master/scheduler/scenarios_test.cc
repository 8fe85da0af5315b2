// Mixes of clients and methods on one server, in virtual time on two workers: which of them are
// served, and how soon.
//
// "Ideal" is a queue that knows every deadline, admits everything and chooses the next job when a
// worker is free. "Before" are the refusals of a former admission control on the same arrivals,
// counted once. It predicted the whole queue in deadline order.
#include <doctest/doctest.h>

#include "scenarios_support.h"
#include "support.h"

namespace ringmaster::master {
namespace {

auto of_client(size_t client) {
  return [client](const Simulation::Job& job) { return job.client == client; };
}

// A method of 30 us, beside clients that call one of 400 ms in closed loops. Both methods have run
// once.
Summary fast_beside_slow(Policy policy, size_t slow_clients, size_t reserved_workers) {
  Simulation simulation(2, 1, policy);
  const size_t slow = simulation.add_method({.allowed = 20});
  const size_t fast = simulation.add_method({.reserved_workers = reserved_workers});
  simulation.warm(slow, .4);
  simulation.warm(fast, 30e-6);
  for (size_t i = 0; i < slow_clients; ++i) {
    const size_t client = simulation.add_client("slow" + std::to_string(i));
    simulation.add_closed({.client = client, .method = slow, .cost = fixed(.4)},
                          static_cast<double>(i) * .0187);
  }
  const size_t user = simulation.add_client("user");
  simulation.add_open(
      {.client = user, .method = fast, .rate = 20, .cost = fixed(30e-6), .from = 1, .until = 100});
  simulation.run(102);
  return summary(simulation, of_client(user));
}

// One client offers 6 jobs/s, and another one `big_rate`, if above 0; each job takes 30 ms.
struct Pair {
  Summary small;
  double together = 0;  // the part of the capacity that both use
};
Pair small_beside_big(Policy policy, double big_rate, double until) {
  Simulation simulation(2, 1, policy);
  const size_t burn = simulation.add_method({});
  const size_t small = simulation.add_client("small");
  const size_t big = simulation.add_client("big");
  Simulation::Source source{.client = small, .method = burn, .rate = 6, .cost = fixed(.03)};
  source.until = until;
  simulation.add_open(source);
  source.client = big;
  source.rate = big_rate;
  if (big_rate > 0) simulation.add_open(source);
  simulation.run(until + 2);
  const double span = until - 4;
  return {summary(simulation, of_client(small)),
          summary(simulation, is_any, 2, until - 2).cpu / 2 / span};
}

// The part of the CPU that the first of two clients gets, with these costs and weights.
struct Shares {
  double costs[2];
  double weights[2];
};
double part_of_first(const Shares& shares, bool is_open) {
  Simulation simulation(2, 1);
  for (size_t i = 0; i < 2; ++i) {
    const double cost = shares.costs[i];
    const size_t method = simulation.add_method({});
    const size_t client = simulation.add_client("c" + std::to_string(i), shares.weights[i]);
    Simulation::Source source{.client = client, .method = method, .cost = fixed(cost)};
    source.retry = .02;
    source.rate = 3 * 2 / cost;
    if (is_open) simulation.add_open(source);
    for (int k = 0; k < 24 && !is_open; ++k)
      simulation.add_closed(source);
  }
  simulation.run(30);
  double cpu[2] = {};
  for (const Simulation::Job& job : simulation.jobs())
    if (job.finished > 5) cpu[job.client] += job.cost;
  return cpu[0] / (cpu[0] + cpu[1]);
}

}  // namespace

TEST_CASE("scenario: all short jobs are served beside long ones, as soon as possible") {
  for (const size_t slow_clients : {4, 30}) {
    const Summary found = fast_beside_slow(Policy::kScheduler, slow_clients, 0);
    const Summary ideal = fast_beside_slow(Policy::kEarliestDeadline, slow_clients, 0);
    MESSAGE(slow_clients, " slow: p99 ", found.p99 * 1e3, " ms, ideal ", ideal.p99 * 1e3);
    CHECK(found.served == found.count);
    CHECK(found.p99 <= 1.15 * ideal.p99);
  }
}

TEST_CASE("scenario: a reserved worker serves short jobs at once") {
  const Summary found = fast_beside_slow(Policy::kScheduler, 30, 1);
  MESSAGE("p99 ", found.p99 * 1e3, " ms");
  CHECK(found.served == found.count);
  CHECK(found.p99 <= .01);
}

TEST_CASE("scenario: a method's limit leaves the other worker to the others") {
  Simulation simulation(2, 1);
  const size_t slow = simulation.add_method({.allowed = 20, .concurrency = 1});
  const size_t burn = simulation.add_method({});
  for (int i = 0; i < 4; ++i) {
    const size_t client = simulation.add_client("slow" + std::to_string(i));
    simulation.add_closed({.client = client, .method = slow, .cost = fixed(.4)});
  }
  const size_t other = simulation.add_client("other");
  simulation.add_open({.client = other, .method = burn, .rate = 200, .cost = fixed(.03)});
  simulation.run(60);
  MESSAGE("utilisation ", simulation.utilisation(60));
  CHECK(simulation.utilisation(60) >= .97);
}

TEST_CASE("scenario: a client that asks for little is served beside a client that floods") {
  const Pair found = small_beside_big(Policy::kScheduler, 600, 100);
  const Pair alone = small_beside_big(Policy::kEarliestDeadline, 0, 1000);
  MESSAGE("p99 ", found.small.p99 / alone.small.p99, " times that alone, together ",
          found.together);
  CHECK(found.small.served == found.small.count);
  CHECK(found.small.p99 <= 1.8 * alone.small.p99);
  CHECK(found.together >= .97);
}

TEST_CASE("scenario: CPU time is shared by weight, whatever a job costs") {
  for (const bool is_open : {true, false}) {
    CHECK(std::abs(part_of_first({{.003, .03}, {1, 1}}, is_open) - .5) <= .02);
    CHECK(std::abs(part_of_first({{.003, .03}, {1, 4}}, is_open) - .2) <= .02);
    // In a closed loop of 24, the first client asks for more than its share can do in a second.
    CHECK(std::abs(part_of_first({{.03, .003}, {1, 4}}, is_open) - .2) <= .02);
  }
}

// A job that takes most of its deadline is admitted if it would not be late, and must then begin
// soon. A flood of such jobs gets its client no more than the client's share.
TEST_CASE("scenario: a flood of jobs that must begin soon is not served before all others") {
  for (const size_t workers : {1, 2}) {
    for (const double cost : {.3, .35, .4, .45}) {
      Simulation simulation(workers, 1);
      const size_t slow = simulation.add_method({});
      const size_t quick = simulation.add_method({});
      const size_t flood = simulation.add_client("flood");
      const size_t user = simulation.add_client("user");
      simulation.add_open({.client = flood, .method = slow, .rate = 400, .cost = fixed(cost)});
      simulation.add_closed({.client = user, .method = quick, .cost = fixed(.005)});
      simulation.run(30);
      const Summary found = summary(simulation, of_client(user), 2, 28);
      const Summary floods = summary(simulation, of_client(flood), 2, 28);
      CAPTURE(workers);
      MESSAGE(workers, " workers, ", cost, " s: served ", found.served, " of ", found.count,
              ", late ", found.late, ", p50 ", found.p50, " s; the flood ", floods.served);
      CHECK(found.served_part() >= .99);
    }
  }
}

// While a client of such jobs is alone, each job must begin soon when the scheduler chooses it.
TEST_CASE("scenario: a client of jobs that must begin soon gets its share once it is not alone") {
  for (const double weight : {1.0, 3.0}) {
    Simulation simulation(2, 1);
    const size_t slow = simulation.add_method({});
    const size_t quick = simulation.add_method({});
    const size_t first = simulation.add_client("first", weight);
    const size_t later = simulation.add_client("later");
    for (int i = 0; i < 4; ++i) {
      simulation.add_closed({.client = first, .method = slow, .cost = fixed(.45), .retry = .005});
    }
    for (int i = 0; i < 24; ++i)
      simulation.add_closed({.client = later, .method = quick, .cost = fixed(.005)}, 20);
    simulation.run(60);
    double cpu[2] = {};
    for (const Simulation::Job& job : simulation.jobs())
      if (job.finished > 20 && job.finished <= 40) cpu[job.client] += job.cost;
    const double part = cpu[first] / (cpu[first] + cpu[later]);
    MESSAGE("weight ", weight, ": ", part);
    CHECK(std::abs(part - weight / (1 + weight)) <= .03);
  }
}

TEST_CASE("scenario: a client that floods at ten times the capacity costs the others little") {
  const Summary found = many_clients(199, .6, 10, .005, 15, Kind::kNamed);
  const Summary without = many_clients(199, .6, 0, .005, 15, Kind::kNamed);
  MESSAGE("served ", found.served, " of ", without.served, ", p99 ", found.p99 / without.p99,
          " times");
  CHECK(static_cast<double>(found.served) >= .99 * static_cast<double>(without.served));
  CHECK(found.p99 <= 1.5 * without.p99);
}

// With equal costs, the tag of a client that was served once would equal the group's virtual time.
TEST_CASE("scenario: a model's batches stay large, and an urgent job waits for one of them") {
  for (const double scatter : {0., .2, 1.}) {
    for (const double load : {.9, 1.2}) {
      Simulation simulation(2, 1);
      const size_t model = simulation.add_method({.batch = 32, .batch_cost = .005});
      const size_t urgent = simulation.add_method({});
      const double capacity = 2 * 32 / (.005 + 32 * .25e-3);
      const size_t users = simulation.add_client("users");
      const size_t other = simulation.add_client("other");
      const Sample cost = [scatter, jobs = 0, factor = 1.](Random& random) mutable {
        if (jobs++ % 32 == 0) factor = 1 + scatter * (2 * uniform(random) - 1);
        return .25e-3 * factor;
      };
      simulation.add_open(
          {.client = users, .method = model, .rate = load * capacity, .cost = cost});
      simulation.add_open({.client = other, .method = urgent, .rate = 50, .cost = fixed(30e-6)});
      simulation.run(20);
      const Summary found = summary(simulation, of_client(users), 1, 19);
      const Summary waited = summary(simulation, of_client(other), 1, 19);
      CAPTURE(scatter);
      MESSAGE("load ", load, ": served ", found.served_part(), ", p99 ", found.p99 * 1e3,
              " ms, urgent p99 ", waited.p99 * 1e3, " ms");
      CHECK(found.served_part() >= (load < 1 ? .999 : .97 / load));
      CHECK(waited.served == waited.count);
      CHECK(waited.p99 <= .015);
    }
  }
}

TEST_CASE("scenario: quotes come true as often as they say") {
  Simulation simulation(2, 1);
  simulation.set_quotes(true);
  const auto add = [&](const char* name, double rate, Sample cost, Sample fetch, double allowed) {
    Simulation::Method method{.allowed = allowed};
    method.fetch = std::move(fetch);
    Simulation::Source source{.client = simulation.add_client(name), .rate = rate};
    source.method = simulation.add_method(method);
    source.cost = std::move(cost);
    source.until = 600;
    simulation.add_open(source);
  };
  const auto burn = [](Random& random) { return exponential(random, .005); };
  add("echo", 100, fixed(30e-6), {}, 1);
  add("burn", 60, burn, {}, 1);
  add(
      "slow", 2, [](Random& random) { return .05 + .1 * uniform(random); }, {}, 20);
  add(
      "fetch", 15, fixed(.02), [](Random& random) { return .04 + .06 * uniform(random); }, 1);
  simulation.run(605);
  for (size_t method = 0; method < 4; ++method) {
    size_t count = 0;
    size_t within[3] = {};
    for (const Simulation::Job& job : simulation.jobs()) {
      if (job.method != method || job.finished < 0 || !job.quote) continue;
      ++count;
      for (size_t i = 0; i < 3; ++i)
        within[i] += (job.finished - job.arrived) * 1e9 <= job.quote->ns[i];
    }
    for (size_t i = 0; i < 3; ++i) {
      const double part = static_cast<double>(within[i]) / static_cast<double>(count);
      MESSAGE("method ", method, ": of ", count, " within ", part, " for ", Quote::kProbability[i]);
      CHECK(std::abs(part - Quote::kProbability[i]) <= .05);
    }
  }
}

}  // namespace ringmaster::master
