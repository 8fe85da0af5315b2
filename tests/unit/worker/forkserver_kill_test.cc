// A fork server is killed at each point between its order to fork and its report: no worker
// outlives it, and its successor has each job exactly once.
#include <csignal>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "ports_support.h"
#include "probes.h"
#include "traced.h"

namespace ringmaster::ipc {
namespace {

constexpr Publication kJob{1, 1};
constexpr int kSystemCallStop = SIGTRAP | 0x80;

// While it lives, orphans become our children instead of init's, so that we can wait for them.
class Subreaper {
 public:
  Subreaper() { REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0); }
  ~Subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }
  Subreaper(const Subreaper&) = delete;
  Subreaper& operator=(const Subreaper&) = delete;
};

// A real fork server that has loaded a handler and waits for what it is told, traced by us.
class TracedForkServer {
 public:
  // Has been ordered to fork a worker. With `keeps_spare` a spare worker stands by for the order.
  explicit TracedForkServer(const Floor& floor, bool keeps_spare = false)
      : ends_(ControlChannel::create_pair().value()) {
    pid_ = ::fork();
    if (pid_ == 0) become_fork_server(floor);
    ends_.second.reset();
    master_ = std::make_unique<ControlChannel>(std::move(ends_.first));
    send({ControlType::kGeometry, 0, 0, 0, encode(floor.geometry)});
    Confinement confinement{Sandbox::kBestEffort};
    confinement.keeps_spare = keeps_spare;
    send({ControlType::kConfinement, 0, 0, 0, encode(confinement)});
    send({ControlType::kHandler, 0, 0, 0,
          encode(HandlerSpec{"echo", built("handlers/echo.so"), {}})});
    send({ControlType::kMethod, 0, 0, 0, encode(MethodSpec{"echo", {"echo"}})});
    send({ControlType::kLoad, 0, 0, 0, {}});
    receive(ControlType::kDescription);
    receive(ControlType::kLoaded);
    if (keeps_spare) wait_for_spare(floor);
    constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL;
    REQUIRE(::ptrace(PTRACE_SEIZE, pid_, nullptr, kOptions) == 0);
    REQUIRE(::ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr) == 0);
    wait_for(pid_);
    order_worker(floor);
  }
  ~TracedForkServer() { kill(); }
  TracedForkServer(const TracedForkServer&) = delete;
  TracedForkServer& operator=(const TracedForkServer&) = delete;

  pid_t worker() const { return worker_; }

  // Runs the fork server to the begin or end of a system call. A forked worker waits for us.
  void step() {
    const int status = step(pid_);
    if (status >> 8 != (SIGTRAP | (PTRACE_EVENT_FORK << 8))) return;
    unsigned long forked = 0;
    REQUIRE(::ptrace(PTRACE_GETEVENTMSG, pid_, nullptr, &forked) == 0);
    worker_ = static_cast<pid_t>(forked);
    wait_for(worker_);
  }
  // Runs the worker to the begin or end of a system call.
  void step_worker() {
    const int status = step(worker_);
    CAPTURE(status);
    REQUIRE(WIFSTOPPED(status));
  }
  // The system call that the worker is about to make; -1 if it has just made one.
  int64_t call_of_worker() const {
    __ptrace_syscall_info call = {};
    REQUIRE(::ptrace(PTRACE_GET_SYSCALL_INFO, worker_, sizeof(call), &call) > 0);
    return call.op == PTRACE_SYSCALL_INFO_ENTRY ? static_cast<int64_t>(call.entry.nr) : -1;
  }

  bool has_reported() {
    char byte;
    return ::recv(master_->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
  }

  // Kills the fork server, lets the worker go, and waits until no process is left.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) == pid_ && WIFSTOPPED(status)) {
    }
    pid_ = 0;
    // The worker may have died with its fork server: then there is no worker to let go.
    if (worker_ > 0) ::ptrace(PTRACE_DETACH, worker_, nullptr, nullptr);
    ::alarm(test::kDeadlineS);  // a worker that lives on would be waited for in vain
    while (::waitpid(-1, nullptr, __WALL) > 0 || errno == EINTR) {
    }
    ::alarm(0);
  }

 private:
  // The path of a file of the same build.
  static std::string built(const char* name) {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
  }
  [[noreturn]] void become_fork_server(const Floor& floor) {
    ::alarm(test::kDeadlineS);
    const int channel = ::fcntl(ends_.second.get(), F_DUPFD, 64);  // out of the others' way
    inherit(floor.port, floor.store);
    ::dup2(channel, kControlFd);
    std::string words[] = {"ringmaster", "fork-server", "1", std::to_string(::getppid())};
    char* argv[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
    // A new program, as the master starts it: in this process, libraries that other tests have used
    // would act at a fork.
    ::execv(built("ringmaster").c_str(), argv);
    ::_exit(127);
  }
  void send(const ControlMessage& message) { REQUIRE(master_->send(message)); }
  void order_worker(const Floor& floor) {
    const int fds[] = {floor.result_memories[0].get(), STDERR_FILENO};
    REQUIRE(master_->send({ControlType::kFork, 0, 0, 0, {}}, fds));
  }
  ControlMessage receive(ControlType expected) {
    ControlMessage said;
    REQUIRE(master_->receive(said));
    CAPTURE(said.text);
    REQUIRE(said.type == expected);
    return said;
  }
  // The fork server forks a spare after a worker. That worker is ended.
  void wait_for_spare(const Floor& floor) {
    order_worker(floor);
    const pid_t first = receive(ControlType::kForked).pid;
    const uint64_t deadline_ns = now_ns() + kForeverNs;
    while (count_children() < 2) {
      REQUIRE(now_ns() < deadline_ns);
      ::usleep(1000);
    }
    REQUIRE(::kill(first, SIGKILL) == 0);
    receive(ControlType::kExited);
  }
  size_t count_children() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) +
                       "/children");
    return static_cast<size_t>(std::distance(std::istream_iterator<pid_t>(file), {}));
  }
  static int wait_for(pid_t pid) {
    int status = 0;
    REQUIRE(::waitpid(pid, &status, __WALL) == pid);
    return status;
  }
  static int step(pid_t pid) {
    int status = 0;
    do {
      REQUIRE(::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr) == 0);
      status = wait_for(pid);
      // Anything else is a signal's or the trace's own stop.
    } while (WIFSTOPPED(status) && WSTOPSIG(status) != kSystemCallStop &&
             status >> 16 != PTRACE_EVENT_FORK);
    return status;
  }

  std::pair<Fd, Fd> ends_;
  std::unique_ptr<ControlChannel> master_;
  pid_t pid_ = 0;
  pid_t worker_ = 0;
};

struct Count {
  uint32_t kills = 0;
  uint32_t lost = 0;
  uint32_t doubled = 0;
};

// The fork server and its worker are gone: takes over as the master does, with a new worker.
void take_over(Floor& floor, Count& count) {
  std::vector<Answer> answers = floor.drain();
  const std::vector<Publication> named = floor.port.take_over(0);
  const bool is_lost = answers.empty() && !named.empty();
  if (is_lost) {
    REQUIRE(floor.port.try_publish(kJob));
    floor.port.wake(1);
  }
  if (answers.empty()) {                                       // else no job is left
    floor.store.header(kJob.job).deadline_ns = kJob.sequence;  // as echo_one() expects it
    test::Child successor = floor.fork_worker(0, echo_one);
    answers = floor.wait_for(1);
    successor.kill();
  }
  for (const Answer& answer : answers)
    CHECK(answer == Answer{0, kJob, 0, "[1]"});
  ++count.kills;
  count.lost += answers.empty() ? 1 : 0;
  count.doubled += answers.size() > 1 || floor.port.try_withdraw(kJob) ? 1 : 0;
}

// Publishes, in the memory of one generation (`floor`), a job that any worker may run.
void publish(Floor& floor) {
  floor.publish(kJob, "[1]");
  floor.store.header(kJob.job).deadline_ns = ~uint64_t{0};  // no process has read it yet
}

// How many steps lead a worker from its birth to each of its system calls, up to its first answer.
// Of equal calls in a row, as where the worker builds its sandbox, only the first counts.
std::vector<uint32_t> steps_to_new_calls() {
  std::vector<uint32_t> found;
  Floor floor(1);
  publish(floor);
  TracedForkServer fork_server(floor);
  while (fork_server.worker() == 0)
    fork_server.step();
  int64_t last = -1;
  for (uint32_t steps = 1; !floor.port.was_any_result(); ++steps) {
    fork_server.step_worker();
    const int64_t call = fork_server.call_of_worker();
    if (call == -1) continue;
    if (call != last) found.push_back(steps);
    last = call;
  }
  return found;
}

void check(const Count& count) {
  CHECK(count.lost == 0);
  CHECK(count.doubled == 0);
  MESSAGE("killed at " << count.kills << " stops: workers left 0, jobs lost " << count.lost
                       << ", answered twice " << count.doubled);
}

// Kills the fork server at each of its system calls from the order to fork to its report. With
// `has_spare`, the spare worker gets the place.
void kill_until_reported(bool has_spare) {
  SKIP_UNLESS(test::ptrace_stops());
  const Subreaper subreaper;
  Count count;
  for (bool has_reported = false; !has_reported;) {
    CAPTURE(count.kills);
    Floor floor(1);
    TracedForkServer fork_server(floor, has_spare);
    publish(floor);
    for (uint32_t i = 0; i < count.kills; ++i)
      fork_server.step();
    if (has_spare) CHECK(fork_server.worker() == 0);  // none was forked
    has_reported = fork_server.has_reported();
    fork_server.kill();
    take_over(floor, count);
  }
  CHECK(count.kills > 5);
  check(count);
}

}  // namespace

TEST_CASE("fork server kill: at every system call from the order to fork to the report") {
  kill_until_reported(false);
}

TEST_CASE("fork server kill: at every system call that gives a worker's place to the spare") {
  kill_until_reported(true);
}

// Not under sanitizers, which find nothing in a killed process: the other tests of kills run the
// code that takes over.
TEST_CASE(
    "fork server kill: before every system call of its worker, from its birth to its first "
    "answer" *
    doctest::skip(test::kIsSanitized)) {
  SKIP_UNLESS(test::ptrace_stops());
  const Subreaper subreaper;
  Count count;
  const std::vector<uint32_t> calls = steps_to_new_calls();
  for (size_t i = 0; i < calls.size(); i += calls.size() / test::tries_max() + 1) {
    const uint32_t steps = calls[i];
    CAPTURE(steps);
    Floor floor(1);
    publish(floor);
    TracedForkServer fork_server(floor);
    while (fork_server.worker() == 0)
      fork_server.step();
    for (uint32_t step = 0; step < steps; ++step)
      fork_server.step_worker();
    fork_server.kill();
    take_over(floor, count);
  }
  CHECK(count.kills > 20);
  check(count);
}

}  // namespace ringmaster::ipc
