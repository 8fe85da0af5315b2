// Invariants 1 and 3, instruction by instruction: a worker that is single-stepped through one job,
// and through two that it serves together.
#include <algorithm>
#include <doctest/doctest.h>

#include "ports_support.h"
#include "traced.h"

namespace ringmaster::ipc {
namespace {

// Returns a worker that has stopped before it serves `jobs`. It has served one job already: some
// steps happen only at a worker's first job.
test::Traced trace(Floor& floor, const std::vector<Publication>& jobs) {
  const auto fork = [&] {
    return floor.fork_worker(0, [&](WorkerPort& port) -> int {
      if (echo_one(port) != 0) return 1;
      if (!test::stop_for_tracer()) return 102;
      ::_exit(echo(port, jobs.size()));
    });
  };
  const auto warm_up = [&] {
    floor.publish({0, 0}, "warm");
    REQUIRE(floor.wait_for(1).size() == 1);
  };
  const auto prepare = [&] {
    // The master announces its sleep, so that ringing its bell is part of the way. Not before the
    // worker's stop: the ring for the first job may come after that job's result was taken, and
    // would use up the announcement.
    floor.port.announce_sleep(MasterBell::Sleep::kSleeping);
    for (const Publication id : jobs)
      floor.publish(id, "ok!");
  };
  return {fork, warm_up, prepare};
}

// Every shared word that names the job, as text.
std::string names_of(const Words& words, ResultReader& results, Publication id) {
  std::string names;
  for (const AtomicWord& entry : words.entries) {
    if (entry == make_word(EntryState::kReady, 0, id)) names += " ready";
    if (entry == make_word(EntryState::kClaimed, 0, id)) names += " claimed";
  }
  for (const AtomicWord& running : words.workers[0].running) {
    if (running != kFreeWord && publication_of(running) == id) names += " running";
  }
  const auto record = results.peek();
  if (!record) return names + " damaged";
  if (*record) names += (*record)->id == id && (*record)->bytes == "ok!" ? " answered" : " wrong";
  return names;
}

struct Fates {
  int answered = 0;
  int given_out_again = 0;
};

// `count` jobs. Calls with different numbers give different ids.
std::vector<Publication> make_jobs(size_t count, uint32_t number) {
  std::vector<Publication> jobs;
  for (uint32_t job = 1; job <= count; ++job)
    jobs.push_back({job, number});
  return jobs;
}

// Kills the worker of these jobs at `step` of its way. Returns what happened to each job.
std::vector<Fates> kill_at(Floor& floor, const std::vector<Publication>& jobs, const test::Way& way,
                           size_t step) {
  test::Traced worker = trace(floor, jobs);
  way.lead(worker, step);
  worker.kill();
  std::vector<Fates> fates(jobs.size());
  for (const Answer& answer : floor.drain()) {
    const size_t job = answer.id.job - 1;
    REQUIRE(job < jobs.size());
    CHECK(answer == Answer{0, jobs[job], 0, "ok!"});
    ++fates[job].answered;
  }
  const std::vector<Publication> named = floor.port.take_over(0);
  for (size_t job = 0; job < jobs.size(); ++job) {
    const bool is_named = std::find(named.begin(), named.end(), jobs[job]) != named.end();
    fates[job].given_out_again = (floor.port.try_withdraw(jobs[job]) ? 1 : 0) +
                                 (is_named && fates[job].answered == 0 ? 1 : 0);
  }
  return fates;
}

// Returns which words name the first job, each change once, and adds the worker's steps to `way`.
std::vector<std::string> follow(Floor& floor, const std::vector<Publication>& jobs,
                                test::Way& way) {
  std::vector<std::string> ways;
  test::Traced worker = trace(floor, jobs);
  REQUIRE(worker.is_stopped());
  const Words words = floor.words();
  const Region results = floor.results_of(0);
  ResultReader reader({results.data(), results.size()});
  do {
    std::string names = names_of(words, reader, jobs.front());
    if (ways.empty() || ways.back() != names) ways.push_back(std::move(names));
    way.add(worker.at());
  } while (worker.step());
  CHECK(worker.exit_code() == 0);
  CHECK(floor.drain().size() == jobs.size());
  floor.port.take_over(0);
  return ways;
}

void kill_everywhere(size_t count) {
  Floor floor(1);
  test::Way way;
  const std::vector<std::string> ways = follow(floor, make_jobs(count, 1), way);
  REQUIRE(way.length() > 50);
  CHECK(ways == std::vector<std::string>{" ready", " claimed", " claimed running", " running",
                                         " running answered", " answered"});
  if (!test::kIsWayTheSame) {
    MESSAGE("looked at after each of " << way.length() << " steps; not killed: see kIsWayTheSame");
    return;
  }
  uint32_t lost = 0;
  uint32_t doubled = 0;
  const size_t kills = way.for_each_step([&](size_t step) {
    CAPTURE(step);
    const auto jobs = make_jobs(count, 2 + static_cast<uint32_t>(step));
    for (const Fates fates : kill_at(floor, jobs, way, step)) {
      lost += fates.answered + fates.given_out_again == 0 ? 1 : 0;
      doubled += fates.answered + fates.given_out_again > 1 ? 1 : 0;
    }
  });
  CHECK(lost == 0);
  CHECK(doubled == 0);
  MESSAGE(count << " at once: killed after " << kills << " of " << way.length()
                << " steps: jobs lost " << lost << ", answered twice " << doubled);
}

}  // namespace

TEST_CASE("worker kill: at every instruction a job is named; after a kill, it has one fate") {
  SKIP_UNLESS(test::ptrace_stops());
  kill_everywhere(1);
}

// Not under sanitizers, which find nothing in a killed process.
TEST_CASE("worker kill: each of two jobs that are served together is named, and has one fate" *
          doctest::skip(test::kIsSanitized)) {
  SKIP_UNLESS(test::ptrace_stops());
  kill_everywhere(2);
}

}  // namespace ringmaster::ipc
