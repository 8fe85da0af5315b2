#include "master/supervisor/worker_slots.h"

#include <doctest/doctest.h>

#include "base/clock.h"
#include "support.h"

namespace ringmaster::master {
namespace {

using State = WorkerSlots::State;
using Slots = std::vector<uint32_t>;

constexpr uint64_t kOldNs = 2 * WorkerSlots::kYoungNs;

// Every slot that is due goes through fork and ready.
void bring_up(WorkerSlots& worker_slots, uint64_t now_ns) {
  for (const uint32_t slot : worker_slots.take_due(now_ns)) {
    CHECK(!worker_slots.on_forked(slot, 100 + static_cast<int32_t>(slot), now_ns));
    CHECK(!worker_slots.on_ready(slot));
  }
}

}  // namespace

TEST_CASE("worker slots: the wanted slots are forked at once, each one once") {
  WorkerSlots worker_slots(4, 2);
  CHECK(worker_slots.slot_count() == 4);
  CHECK(worker_slots.take_due(5) == Slots{0, 1});
  CHECK(worker_slots.take_due(5).empty());
  CHECK(worker_slots.slot(0).state == State::kForking);
  CHECK(!worker_slots.is_complete());

  CHECK(!worker_slots.on_forked(0, 11, 5));
  CHECK(worker_slots.slot(0).state == State::kStarting);
  CHECK(worker_slots.slot(0).pid == 11);
  CHECK(!worker_slots.on_ready(0));
  CHECK(worker_slots.up_count() == 1);
  CHECK(!worker_slots.is_complete());
  CHECK(!worker_slots.on_forked(1, 12, 6));
  CHECK(!worker_slots.on_ready(1));
  CHECK(worker_slots.is_complete());
  CHECK(!worker_slots.on_ready(1));  // readiness is seen more than once
  CHECK(worker_slots.up_count() == 2);
}

TEST_CASE("worker slots: a worker that lived for a while is replaced at once") {
  WorkerSlots worker_slots(2, 2);
  bring_up(worker_slots, 0);
  worker_slots.on_exited(1, kOldNs, false);
  CHECK(worker_slots.slot(1).state == State::kVacant);
  CHECK(worker_slots.slot(1).pid == 0);
  CHECK(worker_slots.up_count() == 1);
  CHECK(worker_slots.take_due(kOldNs) == Slots{1});
}

TEST_CASE(
    "worker slots: from its second young death in a row on, a slot waits, twice as long each "
    "time") {
  WorkerSlots worker_slots(1, 1);
  uint64_t now = 1000;
  const uint64_t waits[] = {0, WorkerSlots::kBackOffNs, 2 * WorkerSlots::kBackOffNs,
                            4 * WorkerSlots::kBackOffNs};
  for (const uint64_t wait_ns : waits) {
    bring_up(worker_slots, now);
    worker_slots.on_exited(0, ++now, false);
    CHECK(worker_slots.slot(0).due_ns == now + wait_ns);
    if (wait_ns > 0) CHECK(worker_slots.take_due(now + wait_ns - 1).empty());
    now += wait_ns;
  }
  for (int i = 0; i < 100; ++i) {
    bring_up(worker_slots, now);
    worker_slots.on_exited(0, now, false);
    CHECK(worker_slots.slot(0).due_ns <= now + WorkerSlots::kBackOffMaxNs);
    now = worker_slots.slot(0).due_ns;
  }
  bring_up(worker_slots, now);
  worker_slots.on_exited(0, now, false);
  CHECK(worker_slots.slot(0).due_ns == now + WorkerSlots::kBackOffMaxNs);
}

TEST_CASE("worker slots: a long life ends the back-off") {
  WorkerSlots worker_slots(1, 1);
  for (uint64_t now = 0; now < 3; ++now) {
    bring_up(worker_slots, now + 10 * kNsPerS * now);
    worker_slots.on_exited(0, now + 10 * kNsPerS * now, false);
  }
  CHECK(worker_slots.slot(0).young_deaths == 3);
  bring_up(worker_slots, 100 * kNsPerS);
  worker_slots.on_exited(0, 100 * kNsPerS + WorkerSlots::kYoungNs, false);
  CHECK(worker_slots.slot(0).young_deaths == 0);
  CHECK(worker_slots.take_due(100 * kNsPerS + WorkerSlots::kYoungNs) == Slots{0});
}

TEST_CASE("worker slots: a fork that fails counts as a young death") {
  WorkerSlots worker_slots(1, 1);
  for (const uint64_t wait_ns : {uint64_t{0}, WorkerSlots::kBackOffNs}) {
    REQUIRE(worker_slots.take_due(kOldNs) == Slots{0});
    worker_slots.on_fork_failed(0, kOldNs);
    CHECK(worker_slots.slot(0).due_ns == kOldNs + wait_ns);
  }
}

TEST_CASE("worker slots: one worker's deaths do not make another one wait") {
  WorkerSlots worker_slots(2, 2);
  for (uint64_t now = 0; now <= 50 * kNsPerS; now += 10 * kNsPerS) {
    bring_up(worker_slots, now);
    worker_slots.on_exited(0, now, false);
  }
  worker_slots.on_exited(1, 50 * kNsPerS, false);
  CHECK(worker_slots.take_due(50 * kNsPerS) == Slots{1});
}

TEST_CASE("worker slots: wanting one fewer makes the last one leave, and nobody takes its place") {
  WorkerSlots worker_slots(3, 3);
  bring_up(worker_slots, 0);
  CHECK(worker_slots.want(2) == 2u);
  CHECK(worker_slots.slot(2).state == State::kLeaving);
  CHECK(worker_slots.up_count() == 2);
  CHECK(worker_slots.is_complete());
  worker_slots.on_exited(2, 1, false);
  CHECK(worker_slots.slot(2).young_deaths == 0);  // it was told to leave
  CHECK(worker_slots.take_due(kOldNs).empty());
  CHECK(!worker_slots.want(3));
  CHECK(worker_slots.take_due(kOldNs) == Slots{2});
}

TEST_CASE("worker slots: there is at least one worker, and at most all slots") {
  WorkerSlots worker_slots(2, 1);
  bring_up(worker_slots, 0);
  CHECK(!worker_slots.want(0));
  CHECK(worker_slots.wanted() == 1);
  CHECK(!worker_slots.want(7));
  CHECK(worker_slots.wanted() == 2);
  CHECK(test::is_broken_invariant([] { WorkerSlots(2, 3); }));
  CHECK(test::is_broken_invariant([] { WorkerSlots(2, 0); }));
}

TEST_CASE(
    "worker slots: a worker that is forked while it is no longer wanted leaves once it is ready") {
  WorkerSlots worker_slots(2, 2);
  REQUIRE(worker_slots.take_due(0) == Slots{0, 1});
  CHECK(!worker_slots.want(1));  // there is no process yet that could be told
  CHECK(!worker_slots.on_forked(1, 12, 0));
  CHECK(worker_slots.on_ready(1) == 1u);
  CHECK(worker_slots.slot(1).state == State::kLeaving);
  CHECK(!worker_slots.on_ready(1));  // told once
}

TEST_CASE("worker slots: a worker that is starting leaves, too, even if it is soon wanted again") {
  WorkerSlots worker_slots(2, 2);
  REQUIRE(worker_slots.take_due(0) == Slots{0, 1});
  CHECK(!worker_slots.on_forked(1, 12, 0));
  CHECK(worker_slots.want(1) == 1u);
  CHECK(!worker_slots.want(2));
  CHECK(!worker_slots.on_ready(1));
  CHECK(worker_slots.slot(1).state == State::kLeaving);  // it was told: it goes, and is replaced
  worker_slots.on_exited(1, 1, false);
  CHECK(worker_slots.take_due(1) == Slots{1});
}

TEST_CASE("worker slots: when a whole generation is gone, all that are wanted are forked at once") {
  WorkerSlots worker_slots(3, 2);
  bring_up(worker_slots, 0);
  worker_slots.on_exited(0, 1, false);
  bring_up(worker_slots, 1);
  worker_slots.on_all_gone();
  CHECK(worker_slots.up_count() == 0);
  CHECK(worker_slots.slot(0).young_deaths ==
        1);  // the fork server's death does not clear earlier young deaths
  CHECK(worker_slots.slot(1).young_deaths == 0);
  CHECK(worker_slots.take_due(1) == Slots{0, 1});
}

TEST_CASE("worker slots: a worker that has finished a job did not die young") {
  WorkerSlots worker_slots(1, 1);
  uint64_t now = 0;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(worker_slots.take_due(now) == std::vector<uint32_t>{0});
    CHECK(!worker_slots.on_forked(0, 100, now));
    worker_slots.on_ready(0);
    worker_slots.on_exited(0, ++now, true);
  }
  CHECK(worker_slots.crash_looping_count() == 0);
}

TEST_CASE("worker slots: young deaths in a row are a crash loop, until a worker lives") {
  WorkerSlots worker_slots(2, 2);
  uint64_t now = 0;
  for (uint32_t i = 1; i <= WorkerSlots::kCrashLoopDeaths; ++i) {
    CHECK(worker_slots.crash_looping_count() == 0);
    now += WorkerSlots::kBackOffMaxNs;
    worker_slots.take_due(now);
    CHECK(!worker_slots.on_forked(1, 100, now));
    worker_slots.on_exited(1, now, false);
  }
  CHECK(worker_slots.crash_looping_count() == 1);
  now += WorkerSlots::kBackOffMaxNs;
  worker_slots.take_due(now);
  CHECK(!worker_slots.on_forked(1, 100, now));
  worker_slots.on_ready(1);
  worker_slots.on_exited(1, now + WorkerSlots::kYoungNs, false);
  CHECK(worker_slots.crash_looping_count() == 0);
}

TEST_CASE("worker slots: one worker is recycled at a time, and none while another is missing") {
  WorkerSlots worker_slots(4, 2);
  CHECK(!worker_slots.try_recycle(0));
  worker_slots.take_due(0);
  for (uint32_t slot : {0u, 1u})
    CHECK(!worker_slots.on_forked(slot, 100 + static_cast<int32_t>(slot), 0));
  worker_slots.on_ready(0);
  CHECK(!worker_slots.try_recycle(0));
  worker_slots.on_ready(1);
  CHECK(!worker_slots.try_recycle(2));
  REQUIRE(worker_slots.try_recycle(1));
  CHECK(worker_slots.slot(1).state == WorkerSlots::State::kLeaving);
  CHECK(!worker_slots.try_recycle(0));
  worker_slots.on_exited(1, 1, false);
  CHECK(worker_slots.take_due(1) == std::vector<uint32_t>{1});
  CHECK(!worker_slots.try_recycle(0));
  CHECK(!worker_slots.on_forked(1, 102, 1));
  worker_slots.on_ready(1);
  CHECK(worker_slots.try_recycle(0));
}

TEST_CASE("worker slots: a worker is ordered to be killed once, however often that is asked for") {
  WorkerSlots worker_slots(2, 1);
  CHECK(!worker_slots.try_kill(0));  // there is none
  bring_up(worker_slots, 0);
  CHECK(worker_slots.try_kill(0));
  CHECK(!worker_slots.try_kill(0));
  worker_slots.on_exited(0, kOldNs, false);
  CHECK(!worker_slots.try_kill(0));
  bring_up(worker_slots, kOldNs);
  CHECK(!worker_slots.slot(0).is_killed);  // that was the former worker
  CHECK(worker_slots.try_kill(0));
}

TEST_CASE("worker slots: a worker whose pid is not known yet is killed once it is") {
  WorkerSlots worker_slots(1, 1);
  REQUIRE(worker_slots.take_due(0) == Slots{0});
  CHECK(!worker_slots.try_kill(0));
  CHECK(worker_slots.on_forked(0, 11, 0));
  CHECK(!worker_slots.try_kill(0));
  worker_slots.on_exited(0, 1, false);
  REQUIRE(worker_slots.take_due(1) == Slots{0});
  CHECK(!worker_slots.on_forked(0, 12, 1));
}

TEST_CASE("worker slots: a killed worker that comes up before it dies is not up") {
  WorkerSlots worker_slots(1, 1);
  REQUIRE(worker_slots.take_due(0) == Slots{0});
  CHECK(!worker_slots.on_forked(0, 11, 0));
  REQUIRE(worker_slots.try_kill(0));
  CHECK(!worker_slots.on_ready(0));
  CHECK(worker_slots.up_count() == 0);
  CHECK(!worker_slots.is_complete());
  worker_slots.on_exited(0, 1, false);
  bring_up(worker_slots, 1);
  CHECK(worker_slots.is_complete());
}

TEST_CASE(
    "worker slots: the workers that the master kills are replaced at once, and are no crash loop") {
  WorkerSlots worker_slots(1, 1);
  for (uint64_t now = 0; now < 100; ++now) {
    bring_up(worker_slots, now);
    REQUIRE(worker_slots.try_kill(0));
    worker_slots.on_exited(0, now, false);
    CHECK(worker_slots.slot(0).due_ns == now);
  }
  CHECK(worker_slots.crash_looping_count() == 0);
}

}  // namespace ringmaster::master
