#include "ipc/doorbell.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <thread>
#include <vector>

#include "ipc/result_ring.h"
#include "ipc/ring.h"
#include "support.h"

namespace ringmaster::ipc {
namespace {

// A sleep lasts this long only if a wake-up was lost.
constexpr uint64_t kNeverNs = 20 * kNsPerS;

uint64_t read_count(const Fd& event) {
  uint64_t count = 0;
  return ::read(event.get(), &count, sizeof count) == sizeof count ? count : 0;
}

Fd make_event() {
  Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  REQUIRE(event.is_open());
  return event;
}

// A master and a worker with the words that they share.
struct TwoBells {
  TwoBells() : entries(2), results(4096), reader(results), writer(results) {}
  Ring view() { return {entries, cursor}; }

  std::vector<AtomicWord> entries;
  AtomicWord cursor{0};
  WorkerBell worker_bell;
  MasterBell master_bell;
  Fd event = make_event();
  std::vector<std::byte> results;
  ResultReader reader;
  ResultWriter writer;
};

// The worker's half of a ping-pong. Returns 1 if a wake-up was lost, else 0.
int answer_jobs(TwoBells& floor, uint32_t count) {
  Ring ring = floor.view();
  for (uint32_t answered = 0; answered < count;) {
    if (const std::optional<Ring::Claim> claim = ring.try_claim(0)) {
      ring.release(claim->entry);
      if (floor.writer.try_reserve(0) == nullptr) return 1;
      floor.writer.commit(claim->id, 0, 0, 0);
      floor.master_bell.ring(floor.event.get(), true);
      ++answered;
      continue;
    }
    floor.worker_bell.announce_sleep();
    if (ring.was_ready()) {
      floor.worker_bell.cancel_sleep();
      continue;
    }
    const uint64_t start_ns = now_ns();
    floor.worker_bell.sleep(kNeverNs);
    if (now_ns() - start_ns >= kNeverNs) return 1;
  }
  return 0;
}

// The master's half. Returns 1 on a failure, else 0.
int give_jobs(TwoBells& floor, uint32_t count) {
  Ring ring = floor.view();
  pollfd polled{floor.event.get(), POLLIN, 0};
  for (uint32_t job = 0; job < count; ++job) {
    if (!ring.try_publish({job, job})) return 1;
    floor.worker_bell.try_wake();
    while (floor.reader.was_empty()) {
      floor.master_bell.announce_sleep(MasterBell::Sleep::kSleeping);
      if (floor.reader.was_empty() && ::poll(&polled, 1, kNeverNs / kNsPerMs) == 0) return 1;
      floor.master_bell.cancel_sleep();
      read_count(floor.event);
    }
    const auto record = floor.reader.peek();
    if (!record || !*record || (*record)->id != Publication{job, job}) return 1;
    floor.reader.pop();
  }
  return 0;
}

}  // namespace

TEST_CASE("doorbell: only a worker that sleeps is woken, and by one call only") {
  WorkerBell bell;
  CHECK(bell.was_state() == WorkerState::kAbsent);
  CHECK(!bell.try_wake());
  bell.cancel_sleep();
  CHECK(bell.was_state() == WorkerState::kAwake);
  CHECK(!bell.try_wake());
  bell.announce_sleep();
  CHECK(bell.was_state() == WorkerState::kAsleep);
  CHECK(bell.try_wake());
  CHECK(bell.was_state() == WorkerState::kAwake);
  CHECK(!bell.try_wake());
  bell.reset();
  CHECK(bell.was_state() == WorkerState::kAbsent);
}

TEST_CASE("doorbell: a worker that was woken before it fell asleep does not sleep") {
  WorkerBell bell;
  bell.announce_sleep();
  REQUIRE(bell.try_wake());
  const uint64_t start_ns = now_ns();
  bell.sleep(kNeverNs);
  CHECK(now_ns() - start_ns < kNeverNs);
}

TEST_CASE("doorbell: a sleep that nobody ends is over after its time") {
  WorkerBell bell;
  bell.announce_sleep();
  const uint64_t start_ns = now_ns();
  bell.sleep(2 * kNsPerMs);
  CHECK(now_ns() - start_ns >= 2 * kNsPerMs);
  CHECK(bell.was_state() == WorkerState::kAwake);
}

TEST_CASE("doorbell: a master is rung only while it sleeps, and once") {
  MasterBell bell;
  const Fd event = make_event();
  for (const bool is_urgent : {false, true}) {
    bell.ring(event.get(), is_urgent);
    CHECK(read_count(event) == 0);
    bell.announce_sleep(MasterBell::Sleep::kSleeping);
    bell.ring(event.get(), is_urgent);
    bell.ring(event.get(), is_urgent);
    CHECK(read_count(event) == 1);
    bell.announce_sleep(MasterBell::Sleep::kSleeping);
    bell.cancel_sleep();
    bell.ring(event.get(), is_urgent);
    CHECK(read_count(event) == 0);
  }
}

TEST_CASE("doorbell: only an urgent ring ends a nap") {
  MasterBell bell;
  const Fd event = make_event();
  bell.announce_sleep(MasterBell::Sleep::kNapping);
  bell.ring(event.get(), false);
  CHECK(read_count(event) == 0);
  bell.ring(event.get(), true);
  CHECK(read_count(event) == 1);
}

TEST_CASE("doorbell: the master's read never waits, whatever a worker does to the event's flags") {
  const Fd event = make_event();
  MasterBell bell;
  bell.announce_sleep(MasterBell::Sleep::kSleeping);
  test::Child worker([&] {
    bell.ring(event.get(), true);
    return ::fcntl(event.get(), F_SETFL, 0);
  });
  REQUIRE(worker.exit_code() == 0);
  REQUIRE((::fcntl(event.get(), F_GETFL) & O_NONBLOCK) == 0);
  test::Child master([&] {
    for (int i = 0; i < 2; ++i) {  // the ring, then nothing
      if (!MasterBell::try_take_rings(event.get())) return 1;
    }
    return 0;
  });
  CHECK(master.exit_code() == 0);
  pollfd polled{event.get(), POLLIN, 0};
  CHECK(::poll(&polled, 1, 0) == 0);
}

TEST_CASE("doorbell: invariant 6: no wake-up is lost if both sides sleep whenever they can") {
  constexpr uint32_t kRounds = test::kIsSanitized ? 20'000 : 100'000;
  TwoBells floor;
  int worker_lost = 0;
  {
    std::jthread worker([&] { worker_lost = answer_jobs(floor, kRounds); });
    CHECK(give_jobs(floor, kRounds) == 0);
    // If the master's half failed, the worker waits in vain, for kNeverNs at most.
  }
  CHECK(worker_lost == 0);
}

}  // namespace ringmaster::ipc
