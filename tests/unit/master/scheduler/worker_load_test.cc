#include "master/scheduler/worker_load.h"

#include <doctest/doctest.h>
#include <vector>

#include "base/clock.h"

namespace ringmaster::master {
namespace {

WorkerUnit& publish(WorkerLoad& load, Lane& lane, int64_t expected_ns, int64_t now_ns = 0) {
  WorkerUnit& unit = load.open(lane, now_ns);
  load.add(unit, expected_ns, true, 0);
  return unit;
}

struct TwoWorkers {
  TwoWorkers() { load.set_workers(2, 0); }
  Lane lane;
  WorkerLoad load;
  WorkerLoad::View all{2};
};

}  // namespace

TEST_CASE("worker load: a worker has one long job, or a millisecond of short ones") {
  TwoWorkers two;
  publish(two.load, two.lane, 400 * kNsPerMs);
  CHECK(two.load.has_room(kNsPerMs, 0));
  publish(two.load, two.lane, 400 * kNsPerMs);
  CHECK(!two.load.has_room(1, 0));
  TwoWorkers others;
  size_t count = 0;
  for (; others.load.has_room(kNsPerMs / 50, 0); ++count)
    publish(others.load, others.lane, kNsPerMs / 50);
  CHECK(count == 100);
}

TEST_CASE("worker load: a worker has a millisecond of payloads, however short their jobs are") {
  TwoWorkers two;
  constexpr uint64_t kBytes = 10'000;
  const int64_t room = WorkerLoad::room_of(1000, true, kBytes);
  size_t count = 0;
  for (; two.load.has_room(room, 0); ++count)
    two.load.add(two.load.open(two.lane, 0), 1000, true, kBytes);
  CHECK(count == 2 * WorkerLoad::kAheadNs / (WorkerLoad::kNsPerByte * kBytes));
  two.load.set_workers(3, 0);
  CHECK(two.load.has_room(WorkerLoad::room_of(1000, true, 100'000'000), 0));  // for a free worker
}

TEST_CASE("worker load: without workers there is no room") {
  WorkerLoad load;
  CHECK(!load.has_room(WorkerLoad::room_of(1, true, 0), 0));
  CHECK(!load.has_room(WorkerLoad::room_of(0, true, 0), 0));
}

TEST_CASE("worker load: a job of unknown time takes the room of a long one") {
  CHECK(WorkerLoad::room_of(0, false, 0) == WorkerLoad::kAheadNs);
}

TEST_CASE("worker load: waiting work begins where the workers are done first") {
  TwoWorkers two;
  publish(two.load, two.lane, 30 * kNsPerMs);
  CHECK(two.load.wait_ns(10 * kNsPerMs, two.all, 0) == doctest::Approx(10 * kNsPerMs));
  publish(two.load, two.lane, 10 * kNsPerMs);
  CHECK(two.load.first_free_ns(two.all, 0) == 10 * kNsPerMs);
  CHECK(two.load.wait_ns(0, two.all, 0) == 10 * kNsPerMs);
  CHECK(two.load.wait_ns(20 * kNsPerMs, two.all, 0) == 30 * kNsPerMs);
  CHECK(two.load.wait_ns(40 * kNsPerMs, two.all, 0) == 40 * kNsPerMs);
  CHECK(two.load.wait_ns(0, two.all, 4 * kNsPerMs) == 6 * kNsPerMs);
  // The job is 4 ms over its time: 2 ms more are expected.
  CHECK(two.load.wait_ns(0, two.all, 14 * kNsPerMs) == 2 * kNsPerMs);
}

TEST_CASE("worker load: a job of unknown time adds no wait, however long it runs") {
  TwoWorkers two;
  for (int i = 0; i < 2; ++i)
    two.load.add(two.load.open(two.lane, 0), 0, false, 0);
  CHECK(two.load.wait_ns(0, two.all, 900 * kNsPerMs) == 0);
}

TEST_CASE("worker load: units begin in their order, each when another is done") {
  TwoWorkers two;
  WorkerUnit& first = publish(two.load, two.lane, kNsPerMs);
  publish(two.load, two.lane, kNsPerMs);
  publish(two.load, two.lane, 5 * kNsPerMs);
  CHECK(two.load.not_begun_ns(two.all) == 5 * kNsPerMs);
  two.load.remove(first, kNsPerMs);
  CHECK(two.load.not_begun_ns(two.all) == 0);
  CHECK(two.load.first_free_ns(two.all, kNsPerMs) == 0);
  CHECK(two.load.wait_ns(6 * kNsPerMs, two.all, kNsPerMs) == doctest::Approx(5.5 * kNsPerMs));
}

TEST_CASE("worker load: a batch is one unit until its last job is done") {
  TwoWorkers two;
  WorkerUnit& unit = two.load.open(two.lane, 0);
  two.load.add(unit, 3 * kNsPerMs, true, 0);
  two.load.add(unit, 3 * kNsPerMs, true, 0);
  CHECK(two.load.units() == 1);
  CHECK(two.load.jobs() == 2);
  CHECK(two.load.room_ns() == kNsPerMs);
  CHECK(two.lane.out == 1);
  two.load.remove(unit, 6 * kNsPerMs);
  CHECK(two.load.idle_workers() == 1);
  two.load.remove(unit, 6 * kNsPerMs);
  CHECK(two.load.idle_workers() == 2);
  CHECK(two.load.room_ns() == 0);
  CHECK(two.load.work_ns() == 0);
}

TEST_CASE("worker load: the expected time of a unit can change") {
  TwoWorkers two;
  WorkerUnit& unit = publish(two.load, two.lane, 10 * kNsPerMs);
  publish(two.load, two.lane, 500 * kNsPerMs);
  two.load.expect(unit, 100 * kNsPerMs, 20 * kNsPerMs);
  CHECK(two.load.first_free_ns(two.all, 20 * kNsPerMs) == 100 * kNsPerMs);
  two.load.remove(unit, 30 * kNsPerMs);
  CHECK(two.load.work_ns() == 500 * kNsPerMs);
}

}  // namespace ringmaster::master
