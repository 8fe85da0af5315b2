// Invariants 1 and 3, instruction by instruction: a worker that is single-stepped through one job,
// and through two that it serves together.
#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <sys/ptrace.h>

#include "breakpoint.h"
#include "ports_support.h"
#include "probes.h"

namespace ringmaster::ipc {
namespace {

// How often workers are stopped in one test; each stop costs microseconds. Only the ways that a
// sanitizer makes long would need more: there, workers are killed at some of the steps.
constexpr uint64_t kStopsMax = 500'000;

// ThreadSanitizer's part of a job's way depends on what it has seen before: no step of one run can
// be found again in the next.
#if defined(__SANITIZE_THREAD__)
constexpr bool kIsWayTheSame = false;
#else
constexpr bool kIsWayTheSame = true;
#endif

// A worker that has served a job, so that nothing is done for the first time any more, and stands
// before its second one.
class Traced {
 public:
  Traced(Floor& floor, const std::vector<Publication>& jobs)
      : child_(floor.fork_worker(0, [&](WorkerPort& port) -> int {
          if (echo_one(port) != 0) return 1;
          if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return 102;
          ::kill(::getpid(), SIGSTOP);
          ::_exit(echo(port, jobs.size()));
        })) {
    floor.publish({0, 0}, "warm");
    REQUIRE(floor.wait_for(1).size() == 1);
    floor.port.announce_sleep();  // so that ringing the bell is part of the way
    for (const Publication id : jobs)
      floor.publish(id, "ok!");
    status_ = child_.wait();
  }

  bool is_stopped() const { return WIFSTOPPED(status_); }
  int exit_code() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; }

  // One instruction. False: there are none any more.
  bool step() { return go_on(PTRACE_SINGLESTEP); }
  void kill() { child_.kill(); }

  // The address of the instruction that comes next.
  uint64_t at() const { return test::next_instruction(child_.pid()); }

  // At full speed until it comes to `address` for the `visit`-th time from now on.
  bool run_to(uint64_t address, size_t visit) {
    for (; visit > 0; --visit) {
      // An instruction is executed before the breakpoint takes its place.
      if (at() == address && !step()) return false;
      if (at() == address) continue;
      const test::Breakpoint stop(child_.pid(), address);
      if (!stop.is_planted() || !go_on(PTRACE_CONT) || !stop.remove_hit()) return false;
    }
    return true;
  }

 private:
  bool go_on(__ptrace_request how) {
    const long passed_on = WSTOPSIG(status_) == SIGALRM ? SIGALRM : 0;
    if (::ptrace(how, child_.pid(), nullptr, passed_on) != 0) return false;
    status_ = child_.wait();
    return is_stopped();
  }

  test::Child child_;
  int status_ = 0;
};

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

// The addresses of a job's instructions, in the order in which they are executed.
using Trace = std::vector<uint64_t>;

// How to come to a step in few stops: with a breakpoint to the `visit`-th visit of the instruction
// at an earlier one, then step by step.
struct Shortcut {
  size_t step = 0;
  size_t visit = 0;

  // Each visit is two stops: the breakpoint, and the instruction in its place.
  size_t stops_to(size_t wanted) const { return 2 * visit + wanted - step; }
};

// Without breakpoints: one that leads to the first step.
std::vector<Shortcut> find_shortcuts(const Trace& trace) {
  std::map<uint64_t, size_t> visits;
  std::vector<Shortcut> shortcuts(trace.size());
  if (!test::breakpoints().is_available()) return shortcuts;
  for (size_t i = 1; i < trace.size(); ++i) {
    shortcuts[i] = shortcuts[i - 1];
    const Shortcut other{i, ++visits[trace[i]]};
    if (other.stops_to(i) < shortcuts[i].stops_to(i)) shortcuts[i] = other;
  }
  return shortcuts;
}

struct Fates {
  int answered = 0;
  int given_out_again = 0;
};

// `count` jobs whose ids are not used twice, for different numbers.
std::vector<Publication> make_jobs(size_t count, uint32_t number) {
  std::vector<Publication> jobs;
  for (uint32_t job = 1; job <= count; ++job)
    jobs.push_back({job, number});
  return jobs;
}

// Kills the worker of these jobs when it has come `steps` steps of its way: what becomes of each.
std::vector<Fates> kill_after(Floor& floor, const std::vector<Publication>& jobs,
                              const Trace& trace, Shortcut shortcut, size_t steps) {
  Traced worker(floor, jobs);
  if (shortcut.step > 0) REQUIRE(worker.run_to(trace[shortcut.step], shortcut.visit));
  for (size_t i = shortcut.step; i < steps; ++i)
    REQUIRE(worker.step());
  CHECK(worker.at() == trace[steps]);
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

// The names of the first job on its way, each change once, and the trace of it.
std::vector<std::string> follow(Floor& floor, const std::vector<Publication>& jobs, Trace& trace) {
  std::vector<std::string> ways;
  Traced worker(floor, jobs);
  REQUIRE(worker.is_stopped());
  const Words words = floor.words();
  const Region results = floor.results_of(0);
  ResultReader reader({results.data(), results.size()});
  do {
    std::string names = names_of(words, reader, jobs.front());
    if (ways.empty() || ways.back() != names) ways.push_back(std::move(names));
    trace.push_back(worker.at());
  } while (worker.step());
  CHECK(worker.exit_code() == 0);
  CHECK(floor.drain().size() == jobs.size());
  floor.port.take_over(0);
  return ways;
}

void kill_everywhere(size_t count) {
  Floor floor(1);
  Trace trace;
  const std::vector<std::string> ways = follow(floor, make_jobs(count, 1), trace);
  REQUIRE(trace.size() > 50);
  CHECK(ways == std::vector<std::string>{" ready", " claimed", " claimed running", " running",
                                         " running answered", " answered"});
  if (!kIsWayTheSame) {
    MESSAGE("looked at after each of " << trace.size() << " steps; not killed: see kIsWayTheSame");
    return;
  }
  const std::vector<Shortcut> shortcuts = find_shortcuts(trace);
  uint64_t stops = 0;
  for (size_t at = 0; at < trace.size(); ++at)
    stops += shortcuts[at].stops_to(at);
  const size_t stride = stops / kStopsMax + 1;
  size_t kills = 0;
  uint32_t lost = 0;
  uint32_t doubled = 0;
  for (size_t at = 0; at < trace.size(); at += stride, ++kills) {
    CAPTURE(at);
    const auto jobs = make_jobs(count, 2 + static_cast<uint32_t>(at));
    for (const Fates fates : kill_after(floor, jobs, trace, shortcuts[at], at)) {
      lost += fates.answered + fates.given_out_again == 0 ? 1 : 0;
      doubled += fates.answered + fates.given_out_again > 1 ? 1 : 0;
    }
  }
  CHECK(lost == 0);
  CHECK(doubled == 0);
  MESSAGE(count << " at once: killed after " << kills << " of " << trace.size() << " steps, "
                << stops / stride << " stops: jobs lost " << lost << ", answered twice "
                << doubled);
}

}  // namespace

TEST_CASE("worker kill: at every instruction the job has a name, and killed there, one fate") {
  SKIP_UNLESS(test::ptrace_stops());
  kill_everywhere(1);
}

TEST_CASE("worker kill: the same for two jobs that are served together") {
  SKIP_UNLESS(test::ptrace_stops());
  kill_everywhere(2);
}

}  // namespace ringmaster::ipc
