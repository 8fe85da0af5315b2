// Invariants 1 and 3, instruction by instruction: a worker that is single-stepped through one job.
#include <doctest/doctest.h>
#include <sys/ptrace.h>

#include "ports_support.h"

namespace ringmaster::ipc {
namespace {

constexpr int kNoPtrace = 50;

// So many steps, in all, end in a kill: a step costs microseconds.
constexpr uint64_t kStepsMax = 100'000;

// A worker that has served a job, so that nothing is done for the first time any more, and stands
// before its second one.
class Traced {
 public:
  Traced(Floor& floor, JobId id)
      : child_(floor.fork_worker(0, [](WorkerPort& port) -> int {
          if (echo_one(port) != 0) return 1;
          if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return kNoPtrace;
          ::kill(::getpid(), SIGSTOP);
          ::_exit(echo_one(port));
        })) {
    floor.publish({0, 0}, "warm");
    REQUIRE(floor.wait_for(1).size() == 1);
    floor.port.announce_sleep();  // so that ringing the bell is part of the way
    floor.publish(id, "ok!");
    status_ = child_.wait();
  }

  bool is_stopped() const { return WIFSTOPPED(status_); }
  int exit_code() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; }

  // One instruction. False: there are none any more.
  bool step() {
    const int signal = WSTOPSIG(status_);
    const long passed_on = signal == SIGALRM ? SIGALRM : 0;
    if (::ptrace(PTRACE_SINGLESTEP, child_.pid(), nullptr, passed_on) != 0) return false;
    status_ = child_.wait();
    return is_stopped();
  }
  void kill() { child_.kill(); }

 private:
  test::Child child_;
  int status_ = 0;
};

// Every shared word that names the job, as text.
std::string names_of(const Words& words, ResultReader& results, JobId id) {
  std::string names;
  for (const AtomicWord& entry : words.entries) {
    if (entry == make_word(EntryState::kReady, 0, id)) names += " ready";
    if (entry == make_word(EntryState::kClaimed, 0, id)) names += " claimed";
  }
  const JobWord running = words.workers[0].running;
  if (running != kFreeWord && job_of(running) == id) names += " running";
  const auto record = results.peek();
  if (!record) return names + " damaged";
  if (*record) names += (*record)->id == id && (*record)->bytes == "ok!" ? " answered" : " wrong";
  return names;
}

// Kills the worker of job {1, number} after `steps` steps. How many times it is accounted for.
int kill_after(Floor& floor, uint32_t number, uint64_t steps) {
  const JobId id{1, number};
  Traced worker(floor, id);
  for (uint64_t i = 0; i < steps && worker.step(); ++i) {
  }
  worker.kill();
  const std::vector<Answer> answers = floor.drain();
  int answered = 0;
  for (const Answer& answer : answers)
    answered += answer == Answer{0, id, 0, "ok!"} ? 1 : 100;
  bool is_lost = false;
  for (const JobId named : floor.port.take_over(0))
    is_lost = is_lost || named == id;
  const int still_published = floor.port.try_withdraw(id) ? 1 : 0;
  return answered + still_published + (is_lost && answered == 0 ? 1 : 0);
}

}  // namespace

TEST_CASE("worker kill: at every instruction the job has a name, and killed there, one fate") {
  Floor floor(1);
  std::vector<std::string> ways;
  uint64_t steps = 0;
  {
    Traced worker(floor, {1, 1});
    if (worker.exit_code() == kNoPtrace) {
      MESSAGE("skipped: this system does not permit ptrace(2)");
      return;
    }
    REQUIRE(worker.is_stopped());
    const Words words = floor.words();
    const Region results = floor.results_of(0);
    ResultReader reader({results.data(), results.size()});
    do {
      std::string names = names_of(words, reader, {1, 1});
      if (ways.empty() || ways.back() != names) ways.push_back(std::move(names));
      ++steps;
    } while (worker.step());
    CHECK(worker.exit_code() == 0);
  }
  REQUIRE(steps > 50);
  CHECK(ways == std::vector<std::string>{" ready", " claimed", " claimed running", " running",
                                         " running answered", " answered"});
  CHECK(floor.drain().size() == 1);
  floor.port.take_over(0);

  const uint64_t stride = steps * steps / 2 / kStepsMax + 1;
  uint32_t kills = 0;
  for (uint64_t at = 0; at < steps; at += stride) {
    CAPTURE(at);
    CHECK(kill_after(floor, 2 + kills++, at) == 1);
  }
  MESSAGE("looked at after each of " << steps << " steps, killed at " << kills << " of them");
}

}  // namespace ringmaster::ipc
