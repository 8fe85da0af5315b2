// Invariant 4, instruction by instruction: the worker of a job's first step is killed. If it had
// answered, another worker takes the second step. Only then are the dead worker's words taken over.
#include <doctest/doctest.h>
#include <poll.h>

#include "core_support.h"
#include "traced.h"

namespace ringmaster::master {
namespace {

// Takes `count` jobs together, as soon as there is one, and answers each. Returns 0 on success.
int serve(ipc::WorkerPort& port, size_t count) {
  std::optional<ipc::WorkerPort::Job> jobs[ipc::kBatchMax];
  while (!(jobs[0] = port.try_next().value()))
    port.wait(ipc::kForeverNs);
  for (size_t i = 1; i < count; ++i)
    jobs[i] = port.try_next_like(*jobs[0]);
  for (size_t i = 0; i < count && jobs[i]; ++i) {
    char* room = port.reserve(3);
    if (room == nullptr) return 101;
    std::memcpy(room, "[1]", 3);
    port.commit(jobs[i]->id, 0, 3, 0);
  }
  port.finish();
  return 0;
}

class TwoSteps {
 public:
  TwoSteps(size_t count, uint64_t attempts)
      : count_(count),
        method_{"two", {}, 60'000, attempts, {RunStep{0, count}, RunStep{0, count}}} {}

  // The way of a worker through the first step of its jobs.
  test::Way follow() {
    test::Way way;
    test::Traced worker = trace();
    REQUIRE(worker.is_stopped());
    do {
      way.add(worker.at());
    } while (worker.step());
    CHECK(worker.exit_code() == 0);
    CHECK(come_to_rest() == 0);
    return way;
  }
  void kill_at(const test::Way& way, size_t step) {
    test::Traced worker = trace();
    way.lead(worker, step);
    worker.kill();
    const size_t first_steps = come_to_rest();
    CHECK(first_steps + answered_ + errors() == count_);
  }

 private:
  // Returns a worker that has served one job, and has stopped before it serves the first step of
  // `count_` other jobs.
  test::Traced trace() {
    const auto fork = [this] {
      return test::Child([this] {
        ipc::inherit(*core_.port, core_.store);
        auto shared =
            ipc::WorkerPort::map(Core::geometry(), ipc::kControlMemoryFd, ipc::kPayloadMemoryFd);
        if (!shared) return 100;
        Result<ipc::WorkerPort> port = ipc::WorkerPort::open(
            Core::geometry(), 0, std::move(*shared), core_.result_memories[0].get());
        if (!port || serve(*port, 1) != 0) return 100;
        if (!test::stop_for_tracer()) return 102;
        ::_exit(serve(*port, count_));
      });
    };
    const auto warm_up = [this] {
      const auto warm = std::make_shared<Client>();
      REQUIRE(core_.dispatcher.admit(warm_, "[0]", std::nullopt, warm));
      core_.stage().wake_workers();
      pollfd polled{core_.port->event_fd(), POLLIN, 0};
      while (warm->answers() == 0) {
        core_.port->announce_sleep(ipc::MasterBell::Sleep::kSleeping);
        constexpr int kDeadlineMs = test::kDeadlineS * 1000;
        REQUIRE((core_.port->was_any_result() || ::poll(&polled, 1, kDeadlineMs) > 0));
        core_.port->cancel_sleep();
        core_.port->take_rings();
        REQUIRE(core_.take_results());
      }
    };
    const auto prepare = [this] {
      answered_before_ = core_.stage().results();
      clients_.clear();
      for (size_t i = 0; i < count_; ++i) {
        clients_.push_back(std::make_shared<Client>());
        REQUIRE(core_.dispatcher.admit(method_, "[1]", std::nullopt, clients_.back()));
      }
      // The master announces its sleep, so that ringing its bell is part of the way. Not before the
      // worker's stop: the ring for the first job may come after that job's result was taken, and
      // would use up the announcement.
      core_.port->announce_sleep(ipc::MasterBell::Sleep::kSleeping);
    };
    return {fork, warm_up, prepare};
  }

  // The first worker is gone. A second worker runs all other steps. Returns how many first steps
  // the second worker has run.
  size_t come_to_rest() {
    REQUIRE(core_.take_results());
    answered_ = core_.stage().results() - answered_before_;
    // The second worker has the next step, if there is one, in hand when the first worker's words
    // are taken over.
    if (core_.port->was_any_ready()) second_.take();
    CHECK(core_.bury(0).size() + answered_ <= count_);
    size_t runs[2] = {};
    while (!second_.in_hand().empty() || core_.port->was_any_ready()) {
      REQUIRE(runs[0] + runs[1] < 2 * count_);
      if (second_.in_hand().empty()) second_.take();
      const ipc::Publication id = second_.in_hand().front();
      ++runs[core_.store.header(id.job).view_count - 1];
      second_.commit(id, "[2]");
      REQUIRE(core_.take_results());
      second_.finish();
    }
    CHECK(core_.audit());
    CHECK(core_.dispatcher.in_flight() == 0);
    CHECK(core_.store.used_bytes() == 0);
    CHECK(runs[1] + errors() == count_);
    for (const auto& client : clients_)
      CHECK(client->answers() == 1);
    if (method_.attempts > 1) CHECK(errors() == 0);
    return runs[0];
  }

  size_t errors() const {
    size_t errors = 0;
    for (const auto& client : clients_)
      errors += client->errors.size();
    return errors;
  }

  size_t count_;
  const Method method_;
  const Method warm_{"warm", {}, 60'000, 1, {RunStep{0}}};
  Core core_;
  Played second_{core_, 1};
  std::vector<std::shared_ptr<Client>> clients_;
  uint64_t answered_before_ = 0;
  uint64_t answered_ = 0;
};

void kill_everywhere(size_t count, uint64_t attempts) {
  CAPTURE(count);
  CAPTURE(attempts);
  TwoSteps steps(count, attempts);
  test::Way way = steps.follow();
  REQUIRE(way.length() > 50);
  if (!test::kIsWayTheSame) return;
  const size_t kills = way.for_each_step([&](size_t step) {
    CAPTURE(step);
    steps.kill_at(way, step);
  });
  MESSAGE(count << " at once, " << attempts << " attempts: killed after " << kills << " of "
                << way.length() << " steps");
}

}  // namespace

// Not under sanitizers, which find nothing in a killed process: the other tests of kills run the
// code that takes over.
TEST_CASE("worker kill: the next step of a killed worker's jobs stays with another worker" *
          doctest::skip(test::kIsSanitized)) {
  SKIP_UNLESS(test::ptrace_stops());
  kill_everywhere(1, 1);
  kill_everywhere(2, 2);
}

}  // namespace ringmaster::master
