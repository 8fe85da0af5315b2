// Damage to the shared words is found; work in progress is never taken for damage.
#include <algorithm>
#include <doctest/doctest.h>

#include "ports_support.h"

namespace ringmaster::ipc {
namespace {

const auto kAll = [](Publication) { return true; };
const auto kNone = [](Publication) { return false; };

std::string fault_of(const Floor& floor, const MasterPort::IsPublished& is_published = kAll) {
  const Status sane = floor.port.audit(is_published, [](Publication) {});
  return sane ? "" : sane.error().message;
}

std::vector<Publication> named_in(const Floor& floor,
                                  const MasterPort::IsPublished& is_published = kAll) {
  std::vector<Publication> named;
  const Status sane = floor.port.audit(is_published, [&](Publication id) { named.push_back(id); });
  const std::string fault = sane ? "" : sane.error().message;
  REQUIRE(fault == "");
  return named;
}

bool contains(const std::vector<Publication>& ids, Publication id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

TEST_CASE("audit: names the jobs in the ring and in work") {
  Floor floor;
  Words words = floor.words();
  CHECK(named_in(floor).empty());
  REQUIRE(floor.port.try_publish({1, 7}));
  REQUIRE(floor.port.try_publish({2, 7}));
  REQUIRE(words.ring.try_claim(1));
  words.workers[0].running[0] = make_word(EntryState::kClaimed, 0, {3, 7});
  const std::vector<Publication> named = named_in(floor);
  CHECK(named.size() == 3);
  for (const uint32_t job : {1u, 2u, 3u})
    CHECK(contains(named, {job, 7}));
}

TEST_CASE("audit: a ring entry that no undamaged process can have written is damage") {
  const JobWord damages[] = {
      1,                                                 // free, with something in it
      make_word(static_cast<EntryState>(3), 0, {1, 1}),  // an invalid state
      make_word(EntryState::kReady, 1, {1, 1}),          // ready, but with an owner
      make_word(EntryState::kReady, 0, {16, 1}),         // no such job slot
      make_word(EntryState::kClaimed, 2, {1, 1}),        // no such worker
      ~JobWord{0},
  };
  for (const JobWord damage : damages) {
    CAPTURE(damage);
    Floor floor;
    floor.words().entries[3] = damage;
    CHECK(fault_of(floor).starts_with("ring entry 3: 0x"));
  }
  Floor floor;
  REQUIRE(floor.port.try_publish({1, 1}));
  CHECK(fault_of(floor).empty());
  CHECK(fault_of(floor, kNone).starts_with("ring entry 0: 0x"));  // nobody has published it
}

TEST_CASE("audit: a running word or a bell that its worker cannot have written is damage") {
  const JobWord damages[] = {
      1, make_word(EntryState::kReady, 1, {1, 1}),
      make_word(EntryState::kClaimed, 0, {1, 1}),   // another worker's
      make_word(EntryState::kClaimed, 1, {16, 1}),  // no such job slot
  };
  for (const JobWord damage : damages) {
    CAPTURE(damage);
    Floor floor;
    floor.words().workers[1].running[0] = damage;
    CHECK(fault_of(floor).starts_with("running word of worker 1: 0x"));
  }
  Floor floor;
  floor.words().workers[1].running[0] = make_word(EntryState::kClaimed, 1, {15, 1});
  CHECK(fault_of(floor, kNone).empty());  // its result may have been taken: no damage
  std::memset(static_cast<void*>(&floor.words().workers[0].bell), 7, sizeof(WorkerBell));
  CHECK(fault_of(floor) == "the bell of worker 0");
}

TEST_CASE("audit: a word that names a slot without a worker is damage") {
  const auto without_worker = [](const auto& damage) {
    Floor floor;
    floor.port.take_over(1);
    CHECK(fault_of(floor).empty());
    damage(floor.words());
    return fault_of(floor);
  };
  Floor not_forked;
  not_forked.port.on_fork_failed(0);
  not_forked.words().workers[0].bell.announce_sleep();
  CHECK(fault_of(not_forked) == "the bell of worker 0");
  const JobWord claimed = make_word(EntryState::kClaimed, 1, {1, 1});
  CHECK(without_worker([&](const Words& words) {
          words.entries[3] = claimed;
        }).starts_with("ring entry 3: 0x"));
  CHECK(without_worker([&](const Words& words) {
          words.workers[1].running[63] = claimed;
        }).starts_with("running word of worker 1: 0x"));
  CHECK(without_worker([](const Words& words) { words.workers[1].bell.announce_sleep(); }) ==
        "the bell of worker 1");
}

TEST_CASE("audit: a job that is ready a second time is damage") {
  Floor floor;
  const Words words = floor.words();
  REQUIRE(floor.port.try_publish({1, 7}));
  words.entries[2] = make_word(EntryState::kReady, 0, {1, 7});
  CHECK(fault_of(floor) == "two ring entries have job 1");
  words.entries[2] = kFreeWord;
  CHECK(fault_of(floor).empty());
  words.workers[0].running[0] = make_word(EntryState::kClaimed, 0, {1, 7});
  CHECK(fault_of(floor) == "ring entry 0: job 1 is ready, and with a worker");
  words.workers[0].running[0] = make_word(EntryState::kClaimed, 0, {1, 6});  // a former job
  CHECK(fault_of(floor).empty());
}

TEST_CASE("audit: while workers work, each job is named or answered, at every moment") {
  constexpr uint32_t kRounds = 5'000;
  Floor floor;
  const test::Deadline deadline;
  test::Child first = floor.fork_worker(0, answer_all);
  test::Child second = floor.fork_worker(1, answer_all);
  std::vector<Publication> outstanding;
  uint32_t published = 0;
  for (uint32_t round = 0; round < kRounds; ++round) {
    REQUIRE(!deadline.is_over());
    const Publication id{published % 16, published / 16 + 1};
    // A worker that gets no CPU may still have this slot's job when the other worker has run the
    // jobs of all 15 other slots.
    const bool is_free =
        std::ranges::none_of(outstanding, [&](Publication one) { return one.job == id.job; });
    if (outstanding.size() < 3 && is_free && floor.port.try_publish(id)) {
      outstanding.push_back(id);
      ++published;
    }
    const std::vector<Publication> before = outstanding;
    const std::vector<Publication> named =
        named_in(floor, [&](Publication job) { return contains(before, job); });
    for (const Answer& answer : floor.drain())
      std::erase(outstanding, answer.id);
    for (const Publication waited_for : outstanding)
      REQUIRE(contains(named, waited_for));
  }
  first.kill();
  second.kill();
}

}  // namespace ringmaster::ipc
