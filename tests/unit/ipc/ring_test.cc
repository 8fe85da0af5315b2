#include "ipc/ring.h"

#include <doctest/doctest.h>
#include <thread>
#include <vector>

#include "support.h"

namespace ringmaster::ipc {
namespace {

// The shared words; every process, here every thread, has its own view of them.
struct Shared {
  explicit Shared(size_t capacity) : words(capacity) {}
  Ring view() { return {words, cursor}; }

  std::vector<AtomicWord> words;
  AtomicWord cursor{0};
};

std::vector<uint32_t> claim_all(Ring& ring) {
  std::vector<uint32_t> jobs;
  while (const std::optional<Ring::Claim> claim = ring.try_claim(0)) {
    jobs.push_back(claim->id.job);
    ring.release(claim->entry);
  }
  return jobs;
}

}  // namespace

TEST_CASE("ring: claim from an empty ring returns nothing") {
  Shared shared(4);
  Ring ring = shared.view();
  CHECK(!ring.try_claim(0));
  CHECK(!ring.was_ready());
}

TEST_CASE("ring: a claimed job has the id that was published, to the last bit") {
  Shared shared(4);
  Ring ring = shared.view();
  for (const Publication id :
       {Publication{0, 0}, Publication{kJobSlotsMax - 1, ~0u}, Publication{12, 34}}) {
    REQUIRE(ring.try_publish(id));
    CHECK(ring.was_ready());
    const std::optional<Ring::Claim> claim = ring.try_claim(kWorkerSlotsMax - 1);
    REQUIRE(claim);
    CHECK(claim->id == id);
    CHECK(!ring.was_ready());
    CHECK(ring.was_at(claim->entry) == make_word(EntryState::kClaimed, kWorkerSlotsMax - 1, id));
    ring.release(claim->entry);
  }
}

TEST_CASE("ring: a job that is given back is nobody's, and the next to be claimed") {
  Shared shared(4);
  Ring ring = shared.view();
  for (const uint32_t job : {1u, 2u})
    REQUIRE(ring.try_publish({job, 9}));
  const std::optional<Ring::Claim> claim = ring.try_claim(3);
  REQUIRE(claim);
  ring.give_back(*claim);
  CHECK(ring.was_at(claim->entry) == make_word(EntryState::kReady, 0, {1, 9}));
  CHECK(ring.was_ready() == Publication{1, 9});
  CHECK(claim_all(ring) == std::vector<uint32_t>{1, 2});
  REQUIRE(ring.try_publish({4, 9}));
  ring.give_back(*ring.try_claim(3));
  CHECK(ring.try_withdraw({4, 9}));
}

TEST_CASE("ring: jobs come out in the order in which they went in") {
  Shared shared(4);
  Ring ring = shared.view();
  for (uint32_t round = 0; round < 10; ++round) {
    for (uint32_t i = 0; i < 3; ++i) {
      REQUIRE(ring.try_publish({round * 3 + i, 1}));
    }
    CHECK(claim_all(ring) == std::vector<uint32_t>{round * 3, round * 3 + 1, round * 3 + 2});
  }
}

TEST_CASE("ring: any cursor is safe") {
  Shared shared(3);
  Ring ring = shared.view();
  for (const uint64_t cursor : {uint64_t{0}, uint64_t{2}, uint64_t{3}, ~uint64_t{0}}) {
    REQUIRE(ring.try_publish({1, 1}));
    shared.cursor = cursor;
    CHECK(claim_all(ring) == std::vector<uint32_t>{1});
  }
}

TEST_CASE("ring: a full ring refuses, until an entry is released or withdrawn") {
  Shared shared(2);
  Ring ring = shared.view();
  REQUIRE(ring.try_publish({1, 1}));
  REQUIRE(ring.try_publish({2, 1}));
  CHECK(!ring.try_publish({3, 1}));
  const std::optional<Ring::Claim> claim = ring.try_claim(0);
  REQUIRE(claim);
  CHECK(!ring.try_publish({3, 1}));  // claimed is not free
  ring.release(claim->entry);
  CHECK(ring.try_publish({3, 1}));
  CHECK(!ring.try_publish({4, 1}));
  CHECK(ring.try_withdraw({2, 1}));
  CHECK(ring.try_publish({4, 1}));
}

TEST_CASE("ring: withdraw takes back a job that no worker has claimed, once") {
  Shared shared(4);
  Ring ring = shared.view();
  REQUIRE(ring.try_publish({1, 7}));
  CHECK(!ring.try_withdraw({1, 8}));
  CHECK(!ring.try_withdraw({2, 7}));
  CHECK(ring.try_withdraw({1, 7}));
  CHECK(!ring.try_withdraw({1, 7}));
  CHECK(!ring.try_claim(0));

  REQUIRE(ring.try_publish({1, 9}));
  REQUIRE(ring.try_claim(0));
  CHECK(!ring.try_withdraw({1, 9}));
}

TEST_CASE("ring: an entry says who has claimed it, and is taken over for that worker only") {
  Shared shared(4);
  Ring ring = shared.view();
  for (uint32_t worker = 0; worker < 3; ++worker) {
    REQUIRE(ring.try_publish({worker, 1}));
    REQUIRE(ring.try_claim(worker));
  }
  CHECK(ring.was_at(1) == make_word(EntryState::kClaimed, 1, {1, 1}));
  CHECK(ring.take_over(1) == std::vector<Publication>{{1, 1}});
  for (const uint32_t other : {0u, 2u})
    CHECK(ring.was_at(other) == make_word(EntryState::kClaimed, other, {other, 1}));
  CHECK(ring.take_over(1).empty());
  REQUIRE(ring.try_publish({9, 1}));
  // READY entries have 0 as their worker, too, but belong to no worker.
  CHECK(ring.take_over(0) == std::vector<Publication>{{0, 1}});
  CHECK(ring.was_ready());
}

TEST_CASE("ring: under threads each job is claimed exactly once, with its payload visible") {
  constexpr uint32_t kJobs = 30'000;
  Shared shared(8);
  std::vector<uint64_t> payloads(kJobs);  // plain memory: only the ring orders its use
  std::vector<std::atomic<int>> claims(kJobs);
  std::atomic<uint32_t> claimed{0};
  std::atomic<uint32_t> wrong{0};
  const test::Deadline deadline;
  const auto work = [&](uint32_t worker) {
    Ring ring = shared.view();
    while (claimed < kJobs && !deadline.is_over()) {
      const std::optional<Ring::Claim> claim = ring.try_claim(worker);
      if (!claim) {
        std::this_thread::yield();
        continue;
      }
      if (payloads[claim->id.job] != claim->id.job + 7ull) ++wrong;
      ++claims[claim->id.job];
      ring.release(claim->entry);
      ++claimed;
    }
  };
  {
    std::vector<std::jthread> workers;
    for (uint32_t worker = 0; worker < 3; ++worker)
      workers.emplace_back(work, worker);
    Ring ring = shared.view();
    for (uint32_t job = 0; job < kJobs; ++job) {
      payloads[job] = job + 7ull;
      while (!ring.try_publish({job, job}) && !deadline.is_over())
        std::this_thread::yield();
    }
  }
  CHECK(claimed == kJobs);
  CHECK(wrong == 0);
  uint32_t not_once = 0;
  for (const std::atomic<int>& count : claims)
    not_once += count != 1;
  CHECK(not_once == 0);
}

TEST_CASE("ring: under threads a job is either withdrawn or claimed, never both, never neither") {
  constexpr uint32_t kJobs = 30'000;
  Shared shared(4);
  std::vector<std::atomic<int>> taken(kJobs);
  std::atomic<uint32_t> taken_count{0};
  uint32_t withdrawn = 0;
  const test::Deadline deadline;
  {
    std::jthread worker([&] {
      Ring ring = shared.view();
      while (taken_count < kJobs && !deadline.is_over()) {
        const std::optional<Ring::Claim> claim = ring.try_claim(0);
        if (!claim) continue;
        ++taken[claim->id.job];
        ring.release(claim->entry);
        ++taken_count;
      }
    });
    Ring ring = shared.view();
    for (uint32_t job = 0; job < kJobs; ++job) {
      while (!ring.try_publish({job, job}) && !deadline.is_over())
        std::this_thread::yield();
      for (uint32_t spin = 0; spin < job % 64; ++spin)
        ring.was_ready();  // varies the time from publication to withdrawal
      while (job % 16 == 0 && ring.was_ready() && !deadline.is_over())
        std::this_thread::yield();  // so that the worker gets some jobs on any machine
      if (!ring.try_withdraw({job, job})) continue;
      ++withdrawn;
      ++taken[job];
      ++taken_count;
    }
  }
  uint32_t not_once = 0;
  for (const std::atomic<int>& count : taken)
    not_once += count != 1;
  CHECK(not_once == 0);
  CHECK(withdrawn <= kJobs - kJobs / 16);
}

}  // namespace ringmaster::ipc
