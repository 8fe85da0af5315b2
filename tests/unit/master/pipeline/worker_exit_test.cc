// Invariants 1, 3 and 4: what a worker leaves when it is killed between claim and finish.
#include <doctest/doctest.h>

#include "ports_support.h"

namespace ringmaster::ipc {
namespace {

enum class Stage { kClaimed, kNamedTwice, kTaken, kReserved, kCommitted, kFinished };

// Takes one job as far as `stage`, then stops itself.
int run_to(Stage stage, WorkerPort& port, const Geometry& geometry, uint32_t slot) {
  if (stage <= Stage::kNamedTwice) {  // the middle of try_next()
    Words words(kControlMemoryFd, geometry);
    const std::optional<Ring::Claim> claim = words.ring.try_claim(slot);
    if (!claim) return 1;
    if (stage == Stage::kNamedTwice) {
      words.workers[slot].running[0] = make_word(EntryState::kClaimed, slot, claim->id);
    }
    return ::raise(SIGSTOP);
  }
  const std::optional<WorkerPort::Job> job = port.try_next().value();
  if (!job) return 1;
  if (stage >= Stage::kReserved) std::memcpy(port.reserve(4), "done", 4);
  if (stage >= Stage::kCommitted) port.commit(job->id, 0, 4, 0);
  if (stage >= Stage::kFinished) port.finish();
  return ::raise(SIGSTOP);
}

struct Expected {
  Stage stage;
  bool is_held;
  bool is_answered;
  std::vector<Publication> named;  // by take_over()
};

}  // namespace

TEST_CASE("worker death: invariant 4: a killed worker's job is lost and named, or answered") {
  const Publication id{5, 77};
  const Expected expectations[] = {
      {Stage::kClaimed, true, false, {id}},  {Stage::kNamedTwice, true, false, {id}},
      {Stage::kTaken, true, false, {id}},    {Stage::kReserved, true, false, {id}},
      {Stage::kCommitted, true, true, {id}},  // also named, but the master knows its answer
      {Stage::kFinished, false, true, {}},
  };
  Floor floor;  // the same for all: each worker finds the slot as new
  for (const Expected& expected : expectations) {
    CAPTURE(static_cast<int>(expected.stage));
    floor.publish(id, "params");
    CHECK(!floor.worker_of(id));
    test::Child worker = floor.fork_worker(
        1, [&](WorkerPort& port) { return run_to(expected.stage, port, floor.geometry, 1); });
    REQUIRE(worker.was_stopped());
    CHECK(floor.worker_of(id) == (expected.is_held ? std::optional<uint32_t>(1) : std::nullopt));
    CHECK(!floor.worker_of({id.job, id.sequence + 1}));
    CHECK(!floor.port.try_withdraw(id));
    worker.kill();

    const std::vector<Answer> answers = floor.drain();
    CHECK(answers.size() == (expected.is_answered ? 1 : 0));
    if (!answers.empty()) CHECK(answers[0] == Answer{1, id, 0, "done"});
    CHECK(floor.port.take_over(0).empty());
    CHECK(floor.port.take_over(1) == expected.named);

    CHECK(!floor.worker_of(id));
    CHECK(floor.port.take_over(1).empty());
    CHECK(floor.port.was_state(1) == WorkerState::kAbsent);
    CHECK(!floor.port.was_any_result());
    floor.renew(1);
    test::Child successor = floor.fork_worker(1, echo_one);
    floor.publish({6, 1}, "again");
    CHECK(floor.wait_for(1) == std::vector<Answer>{{1, {6, 1}, 0, "again"}});
    CHECK(successor.exit_code() == 0);
  }
}

TEST_CASE("worker death: a job that nobody has claimed is not lost with any worker") {
  Floor floor;
  floor.publish({1, 1}, "still here");
  test::Child worker = floor.fork_worker(0, [](WorkerPort&) { return ::raise(SIGSTOP); });
  REQUIRE(worker.was_stopped());
  worker.kill();
  CHECK(floor.port.take_over(0).empty());
  test::Child other = floor.fork_worker(1, echo_one);
  CHECK(floor.wait_for(1) == std::vector<Answer>{{1, {1, 1}, 0, "still here"}});
}

}  // namespace ringmaster::ipc
