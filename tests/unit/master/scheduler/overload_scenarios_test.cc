// Overloads, and high loads that are none, in virtual time: what is served, and how soon.
//
// "Ideal" and "before" are those of scenarios_test.cc.
#include <cmath>
#include <doctest/doctest.h>
#include <string>

#include "scenarios_support.h"
#include "support.h"

namespace ringmaster::master {

TEST_CASE("scenario: a thousand rare clients may overload the server together") {
  const double at_80 = p99_at_80();
  for (const Kind kind : {Kind::kNamed, Kind::kAddress}) {
    for (const double scatter : {0., .05, .5}) {
      const Summary found = many_clients(1000, 2, 0, .03, 40, kind, scatter);
      CAPTURE(scatter);
      MESSAGE("goodput ", found.cpu / 2 / 33, ", p99 ", found.p99 / at_80, " of that at 80%");
      CHECK(found.cpu / 2 / 33 >= .99);
      CHECK(found.p99 <= 1.5 * at_80);
      CHECK(found.late == 0);
    }
  }
}

TEST_CASE("scenario: in overload admitted requests are served as soon as without overload") {
  const double at_80 = p99_at_80();
  for (const double load : {2.0, 10.0}) {
    const double until = load < 5 ? 40 : 15;
    const Summary found = poisson(Policy::kScheduler, load, 1, until, 3);
    const double goodput = found.cpu / 2 / (until - 5);
    MESSAGE("load ", load, ": goodput ", goodput, ", p99 ", found.p99 / at_80, " of that at 80%");
    CHECK(goodput >= .98);
    CHECK(found.p99 <= 1.3 * at_80);
    CHECK(found.late == 0);
  }
}

TEST_CASE("scenario: an overload of batches is not over after each lull") {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Simulation simulation(8, seed);
    Simulation::Source source{.method = simulation.add_method({})};
    source.client = simulation.add_client("user");
    source.rate = 1.2 / .03;  // the workers are done with 8 / .03 jobs a second
    source.at_once = 8;
    source.cost = fixed(.03);
    source.until = 300;
    simulation.add_open(source);
    simulation.run(302);
    const Summary found = summary(simulation, is_any, 5);
    MESSAGE("p99 ", found.p99, ", served ", found.served_part());
    CHECK(found.p99 <= .13);  // were it over each time that the queue is empty: .45 to .49
    CHECK(found.served_part() >= .73);
  }
}

TEST_CASE("scenario: high but possible loads cause no more refusals than before" *
          doctest::skip(test::kIsSanitized)) {
  struct Row {
    double load, fetch;
    size_t refused_before;
  };
  for (const Row row : {Row{.8, 0, 0}, Row{.8, .07, 0}, Row{.9, 0, 11}, Row{.9, .07, 52}}) {
    size_t refused = 0;
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      const Summary found = poisson(Policy::kScheduler, row.load, seed, 600, 1, row.fetch);
      const Summary ideal = poisson(Policy::kEarliestDeadline, row.load, seed, 600, 1, row.fetch);
      refused += found.refused;
      CHECK(found.p99 <= 1.1 * ideal.p99);
    }
    MESSAGE("load ", row.load, ", fetch ", row.fetch, ": refused ", refused, ", before ",
            row.refused_before);
    CHECK(refused <= row.refused_before);
  }
}

TEST_CASE("scenario: batches of fifty requests cause no more refusals than before") {
  struct Row {
    double load, every;
    size_t refused_before;
  };
  for (const Row row : {Row{.8, 2, 2806}, Row{.8, 5, 1217}, Row{.8, 10, 645}, Row{.9, 2, 2914},
                        Row{.9, 5, 1329}, Row{.9, 10, 692}}) {
    Simulation simulation(2, 3);
    Simulation::Source source{.method = simulation.add_method({})};
    source.client = simulation.add_client("user");
    source.cost = fixed(.03);
    source.until = 300;
    source.rate = row.load * 2 / .03 - 50 / row.every;
    simulation.add_open(source);
    source.rate = 1 / row.every;
    source.at_once = 50;
    source.is_regular = true;
    simulation.add_open(source);
    simulation.run(302);
    const size_t refused = summary(simulation, is_any, 1).refused;
    MESSAGE("load ", row.load, ", each ", row.every, " s: refused ", refused, ", before ",
            row.refused_before);
    CHECK(refused <= row.refused_before);
  }
}

TEST_CASE("scenario: a method asked for four times its limit is no overload of the others") {
  Simulation simulation(2, 1);
  const size_t limited = simulation.add_method({.concurrency = 1});
  Simulation::Source source{.method = limited, .rate = 4 / .03, .cost = fixed(.03), .until = 300};
  source.client = simulation.add_client("user");
  simulation.add_open(source);
  source.method = simulation.add_method({});
  source.rate = .8 / .03;  // of the other worker
  simulation.add_open(source);
  simulation.run(302);
  const auto is_limited = [&](const auto& job) { return job.method == limited; };
  const Summary others = summary(
      simulation, [&](const auto& job) { return !is_limited(job); }, 5);
  const Summary own = summary(simulation, is_limited, 5);
  MESSAGE("refused ", others.refused, " of ", others.count, "; at the limit: p99 ", own.p99,
          ", goodput ", own.cpu / 295);
  CHECK(others.refused <= 5);  // were it an overload of the client: 146
  CHECK(own.p99 <= .35);       // .52
  CHECK(own.cpu / 295 >= .99);
  CHECK(simulation.client(source.client).is_overloaded(300'000'000'000));
}

TEST_CASE("scenario: requests that allow long queues do not hide the overload of the others") {
  for (const bool is_limited : {true, false}) {
    Simulation simulation(4, 1);
    Simulation::Source source{.method = simulation.add_method({}), .rate = 2 * 400};
    source.client = simulation.add_client("user");
    source.cost = fixed(.01);
    source.until = 60;
    simulation.add_open(source);
    Simulation::Method slow{.allowed = 20};
    slow.concurrency = is_limited ? 1 : 0;
    slow.batch = is_limited ? 1 : 32;
    source.method = simulation.add_method(slow);
    source.rate = is_limited ? 4 : 2;
    source.cost = fixed(is_limited ? .5 : .02);
    simulation.add_open(source);
    simulation.run(80);
    const Summary fast = summary(
        simulation, [&](const auto& job) { return job.method != source.method; }, 5, 59);
    MESSAGE("p50 ", fast.p50);
    CHECK(fast.p50 <= .1);  // did each request say whether the queue has drained: .48
  }
}

TEST_CASE("scenario: clients whose jobs differ in cost get their shares of an overload") {
  Simulation simulation(2, 1);
  Simulation::Source source{.method = simulation.add_method({}), .until = 60};
  double cpu[2];
  for (const double cost : {.03, .003}) {
    source.client = simulation.add_client(std::to_string(cost));
    source.rate = 1.5 * 2 / cost;
    source.cost = fixed(cost);
    simulation.add_open(source);
  }
  simulation.run(62);
  for (const size_t client : {0, 1}) {
    const Summary found = summary(
        simulation, [&](const auto& job) { return job.client == client; }, 5, 58);
    CHECK(found.late == 0);  // by the mean of both clients: 1,876 of the long jobs
    cpu[client] = found.cpu;
  }
  MESSAGE("share ", cpu[0] / (cpu[0] + cpu[1]), ", goodput ", (cpu[0] + cpu[1]) / 2 / 53);
  CHECK(std::abs(cpu[0] / (cpu[0] + cpu[1]) - .5) <= .02);  // .37
  CHECK((cpu[0] + cpu[1]) / 2 / 53 >= .98);                 // .66
}

TEST_CASE("scenario: a client whose jobs were long is let in again when they are short") {
  Simulation simulation(2, 1);
  Simulation::Source source{.method = simulation.add_method({})};
  source.client = simulation.add_client("changed");
  source.rate = 1.2;
  source.cost = fixed(.95);
  source.until = 30;
  simulation.add_open(source);
  source.rate = 10;
  source.cost = fixed(.003);
  source.from = 40;
  source.until = 100;
  simulation.add_open(source);
  source.client = simulation.add_client("flooding");
  source.rate = 1.5 * 2 / .03;
  source.cost = fixed(.03);
  simulation.add_open(source);
  simulation.run(102);
  const auto is_changed = [&](const auto& job) { return job.client != source.client; };
  const Summary found = summary(simulation, is_changed, 70, 99);
  CHECK(found.served == found.count);  // were its times kept: 0
}

TEST_CASE("scenario: a flood of a limited method leaves the share of a client that comes rarely") {
  Simulation simulation(2, 1);
  Simulation::Source source{.method = simulation.add_method({.concurrency = 1})};
  source.client = simulation.add_client("flooding");
  source.rate = 4 / .03;
  source.cost = fixed(.03);
  source.until = 114;
  simulation.add_open(source);
  source.client = simulation.add_client("rare");
  source.rate = 1. / 3;
  source.at_once = 10;
  source.is_regular = true;
  simulation.add_open(source);
  simulation.run(116);
  const Summary rare = summary(
      simulation, [&](const auto& job) { return job.client == source.client; }, 1);
  CHECK(rare.count > 300);
  CHECK(rare.refused == 0);  // were it an overload of the method for all clients: 55
}

}  // namespace ringmaster::master
