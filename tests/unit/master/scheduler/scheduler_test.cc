// What the scheduler must do after single events; schedules_test.cc has the random ones.
#include "master/scheduler/scheduler.h"

#include <deque>
#include <doctest/doctest.h>
#include <string>
#include <utility>

#include "base/clock.h"

namespace ringmaster::master {
namespace {

// Methods of one run step, and clients by number.
class Scene {
 public:
  explicit Scene(size_t workers) { scheduler.set_workers(workers, now); }

  uint32_t method(uint64_t run_ns, size_t reserved_workers = 0, size_t concurrency = 0,
                  uint64_t batch = 1) {
    const uint32_t number =
        scheduler.add_method({{CostModel::StepKind::kRun}, concurrency, reserved_workers, batch});
    if (run_ns > 0) scheduler.costs().seed(number, 0, static_cast<double>(run_ns));
    batches_.push_back(batch);
    return number;
  }
  ClientShare& client(const std::string& name, double weight = 1,
                      ShareTable::Kind kind = ShareTable::Kind::kNamed) {
    held_.push_back(scheduler.shares().hold(name, kind, weight));
    return *held_.back();
  }
  Entry& queue(ClientShare& client, uint32_t method) {
    Entry& entry = entries_.emplace_back();
    now += 1000;
    REQUIRE(!scheduler.try_admit(entry, client, method, now, now + 60'000 * kNsPerMs));
    scheduler.on_queued(entry, 0, batches_[method]);
    return entry;
  }
  // Null: nothing may be published.
  Entry* publish() {
    Entry* const next = scheduler.next(now);
    if (next != nullptr) scheduler.on_published(*next, now);
    return next;
  }
  void finish(Entry& entry, uint64_t took_ns) {
    now += took_ns;
    scheduler.on_done(entry, now, took_ns);
    scheduler.on_ended(entry, now, true);
  }
  void lose(Entry& entry, uint64_t took_ns) {
    now += took_ns;
    scheduler.on_lost(entry, now, took_ns);
    scheduler.on_ended(entry, now, false);
  }

  Scheduler scheduler;
  uint64_t now = 1000 * kNsPerMs;

 private:
  std::vector<uint64_t> batches_;  // by method
  std::deque<Entry> entries_;
  std::deque<std::shared_ptr<ClientShare>> held_;
};

// Whether a job of `rare` is published while jobs of `flood` always wait.
bool is_served_beside(Scene& scene, uint32_t rare, uint32_t flood, uint64_t flood_ns) {
  ClientShare& client = scene.client("one");
  std::deque<Entry*> running;
  for (int i = 0; i < 50; ++i)
    scene.queue(client, flood);
  Entry* const wanted = &scene.queue(client, rare);
  for (int i = 0; i < 5000; ++i) {
    while (Entry* const next = scene.publish()) {
      if (next == wanted) return true;
      running.push_back(next);
    }
    scene.queue(client, flood);
    scene.finish(*running.front(), flood_ns);
    running.pop_front();
  }
  return false;
}

size_t publish_all(Scene& scene) {
  size_t published = 0;
  while (scene.publish() != nullptr)
    ++published;
  return published;
}

}  // namespace

TEST_CASE("scheduler: a limit counts whole batches, however long they take") {
  for (const uint64_t run_ns : {uint64_t{0}, uint64_t{10'000}, 2 * kNsPerMs}) {
    CAPTURE(run_ns);
    Scene scene(8);
    const uint32_t method = scene.method(run_ns, 0, 2, 16);
    ClientShare& client = scene.client("one");
    for (int i = 0; i < 50; ++i)
      scene.queue(client, method);
    Entry* const first = scene.scheduler.next(scene.now);
    REQUIRE(first != nullptr);
    CHECK(scene.scheduler.taken_together(*first, scene.now) == 16);
    CHECK(publish_all(scene) == 32);
    CHECK(scene.scheduler.load().units() == 2);
  }
}

TEST_CASE("scheduler: jobs that are run in no batch count one by one against a limit") {
  Scene scene(8);
  const uint32_t method = scene.method(2 * kNsPerMs, 0, 2, 16);
  ClientShare& client = scene.client("one");
  const auto queue = [&](int count, uint64_t batch) {
    for (int i = 0; i < count; ++i) {
      Entry& entry = scene.queue(client, method);
      scene.scheduler.on_left(entry);
      scene.scheduler.on_queued(entry, 0, batch);
    }
  };
  queue(3, 16);
  queue(20, 1);
  queue(20, 16);
  CHECK(publish_all(scene) == 4);  // a batch that the fourth job ends, and this job
  CHECK(scene.scheduler.load().units() == 2);
}

TEST_CASE("scheduler: a step's own batch is the most that a worker takes together") {
  Scene scene(1);
  const uint32_t method = scene.method(2 * kNsPerMs, 0, 1, 16);  // of another step
  ClientShare& client = scene.client("one");
  for (int i = 0; i < 20; ++i) {
    Entry& entry = scene.queue(client, method);
    scene.scheduler.on_left(entry);
    scene.scheduler.on_queued(entry, 0, 4);
  }
  CHECK(publish_all(scene) == 4);
}

TEST_CASE("scheduler: short batches of a limited method are published beside other short jobs") {
  Scene scene(1);
  const uint32_t flood = scene.method(10'000);
  const uint32_t method = scene.method(10'000, 0, 1, 16);
  ClientShare& client = scene.client("one");
  for (int i = 0; i < 20; ++i)
    scene.queue(client, flood);
  for (int i = 0; i < 20; ++i)
    scene.queue(client, method);
  CHECK(publish_all(scene) == 36);
  CHECK(scene.scheduler.load().units() == 21);
}

TEST_CASE("scheduler: a whole batch takes no worker that is reserved for others") {
  Scene scene(2);
  scene.method(kNsPerMs, 1);
  const uint32_t batches = scene.method(kNsPerMs / 2, 0, 0, 64);
  ClientShare& client = scene.client("one");
  scene.queue(client, batches);
  CHECK(publish_all(scene) == 1);
  for (int i = 0; i < 64; ++i)
    scene.queue(client, batches);
  CHECK(publish_all(scene) == 0);
}

TEST_CASE("scheduler: params that do not fit do not make a method look cheap") {
  Scene scene(1);
  const uint32_t method = scene.method(30 * kNsPerMs);
  ClientShare& client = scene.client("one");
  const auto refuse = [&](uint64_t took_ns) {
    Entry& entry = scene.queue(client, method);
    REQUIRE(scene.publish() == &entry);
    scene.scheduler.on_not_called(entry, scene.now + took_ns, took_ns);
    scene.scheduler.on_ended(entry, scene.now + took_ns, false);
  };
  for (int i = 0; i < 300; ++i)
    refuse(1000);
  CHECK(scene.scheduler.costs().run_ns(method, 0) == 30 * kNsPerMs);
  refuse(90 * kNsPerMs);
  CHECK(scene.scheduler.costs().run_ns(method, 0) == 60 * kNsPerMs);
}

TEST_CASE("scheduler: params that do not fit do not make a method known") {
  Scene scene(1);
  const uint32_t method = scene.method(0);
  Entry& entry = scene.queue(scene.client("one"), method);
  REQUIRE(scene.publish() == &entry);
  scene.scheduler.on_not_called(entry, scene.now, 1000);
  scene.scheduler.on_ended(entry, scene.now, false);
  CHECK(!scene.scheduler.costs().is_known(method, 0));
}

TEST_CASE("scheduler: quotes learn nothing from jobs that were admitted before the first run") {
  Scene scene(1);
  const uint32_t method = scene.method(0);
  ClientShare& client = scene.client("one");
  std::deque<Entry*> entries;
  for (int i = 0; i < 300; ++i)
    entries.push_back(&scene.queue(client, method));
  for (Entry* const entry : entries) {
    REQUIRE(scene.publish() == entry);
    scene.finish(*entry, 10 * kNsPerMs);
  }
  const Quote quote =
      scene.scheduler.quote(client, method, scene.now, scene.now + 60'000 * kNsPerMs);
  CHECK(quote.ns[0] == 10 * kNsPerMs);
  CHECK(quote.ns[2] == 15 * kNsPerMs);
}

TEST_CASE("scheduler: quotes learn nothing from fetches that began before the first had ended") {
  Scene scene(1);
  const uint32_t method = scene.scheduler.add_method({{CostModel::StepKind::kFetch}});
  ClientShare& client = scene.client("one");
  const uint64_t deadline = scene.now + 60'000 * kNsPerMs;
  std::deque<Entry> entries(200);
  for (Entry& entry : entries) {
    REQUIRE(!scene.scheduler.try_admit(entry, client, method, scene.now, deadline));
    scene.scheduler.on_fetching(entry, 0);
  }
  scene.now += 50 * kNsPerMs;
  for (Entry& entry : entries) {
    scene.scheduler.costs().on_fetched(method, 0, 50 * kNsPerMs);
    scene.scheduler.on_left(entry);
    scene.scheduler.on_ended(entry, scene.now, true);
  }
  CHECK(scene.scheduler.quote(client, method, scene.now, deadline).ns[2] == 75 * kNsPerMs);
}

TEST_CASE("scheduler: a job that was lost with its worker is charged") {
  for (const bool is_lost : {true, false}) {
    Scene scene(1);
    const uint32_t method = scene.method(10 * kNsPerMs);
    ClientShare& breaks = scene.client("breaks");
    ClientShare& other = scene.client("other");
    Entry& first = scene.queue(breaks, method);
    Entry& earlier = scene.queue(breaks, method);
    Entry& later = scene.queue(other, method);
    REQUIRE(scene.publish() == &first);
    CHECK(scene.publish() == nullptr);
    if (is_lost) scene.lose(first, 400 * kNsPerMs);
    if (!is_lost) scene.scheduler.on_returned(first, scene.now);  // the job was withdrawn
    CHECK(scene.publish() == (is_lost ? &later : &earlier));
  }
}

TEST_CASE("scheduler: a large batch, sent as soon as the last one is done, lets others go first") {
  Scene scene(1);
  const uint32_t method = scene.method(100'000);
  ClientShare& batches = scene.client("batches");
  ClientShare& other = scene.client("other");
  scene.queue(other, method);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 1000; ++i)
      scene.queue(batches, method);
    while (Entry* const next = scene.publish())
      scene.finish(*next, 100'000);
  }
  for (int i = 0; i < 1000; ++i)
    scene.queue(batches, method);
  scene.publish();
  Entry* const wanted = &scene.queue(other, method);  // with the latest deadline
  CHECK(scene.publish() == wanted);
}

TEST_CASE("scheduler: short jobs of a method with a reserved worker do not starve others") {
  Scene scene(3);
  const uint32_t flood = scene.method(kNsPerMs / 10, 1);
  scene.method(kNsPerMs, 1);
  const uint32_t rare = scene.method(10 * kNsPerMs);
  CHECK(is_served_beside(scene, rare, flood, kNsPerMs / 10));
}

TEST_CASE("scheduler: a worker is left for others, however many are reserved") {
  Scene scene(2);
  const uint32_t flood = scene.method(kNsPerMs / 10, 4);
  const uint32_t rare = scene.method(10 * kNsPerMs);
  CHECK(is_served_beside(scene, rare, flood, kNsPerMs / 10));
}

TEST_CASE("scheduler: a request whose fetch would wait too long for a connection is refused") {
  Scene scene(1);
  ClientShare& client = scene.client("one");
  const uint32_t method = scene.scheduler.add_method({{CostModel::StepKind::kFetch}});
  scene.scheduler.costs().on_fetched(method, 0, 10.0 * kNsPerMs);
  std::deque<Entry> entries;
  const auto ask = [&](uint64_t line_ms) {
    Entry& entry = entries.emplace_back();
    const auto refusal =
        scene.scheduler.try_admit(entry, client, method, scene.now, scene.now + 100 * kNsPerMs,
                                  false, static_cast<double>(line_ms * kNsPerMs));
    if (!refusal) scene.scheduler.on_fetching(entry, 0);
    return !refusal;
  };
  CHECK(ask(1000));  // while a worker is free, no request is refused
  CHECK(ask(0));
  CHECK(ask(89));
  CHECK(!ask(91));
}

TEST_CASE("scheduler: a flood beyond its share is no overload of others") {
  using ClientKind = ShareTable::Kind;
  // `crowd`: the number of other clients that flood, too, for four seconds. If they are a hundred,
  // each of them is within its share.
  for (const auto& [kind, crowd] : {std::pair{ClientKind::kNamed, 0},
                                    {ClientKind::kAddress, 0},
                                    {ClientKind::kNamed, 1},
                                    {ClientKind::kNamed, 100},
                                    {ClientKind::kAddress, 100}}) {
    Scene scene(1);
    const uint32_t method = scene.method(10 * kNsPerMs);
    ClientShare& floods = scene.client("floods", 1, kind);
    ClientShare& other = scene.client("other", 1, kind);
    Entry* running = nullptr;
    std::deque<Entry> asked;
    size_t refused_to_other = 0;
    const auto ask = [&](ClientShare& client) {
      Entry& entry = asked.emplace_back();
      if (scene.scheduler.try_admit(entry, client, method, scene.now, scene.now + 1000 * kNsPerMs))
        return false;
      scene.scheduler.on_queued(entry, 0, 1);
      return true;
    };
    for (int ms = 0; ms < 20'000; ++ms) {
      scene.now += kNsPerMs;
      if (running != nullptr && ms % 10 == 0) {
        scene.scheduler.on_done(*running, scene.now, 10 * kNsPerMs);
        scene.scheduler.on_ended(*running, scene.now, true);
        running = nullptr;
      }
      ask(floods);
      if (ms <= 4000 && crowd > 0)
        ask(ms % crowd == 0 ? other : scene.client(std::to_string(ms % crowd), 1, kind));
      // A second after the crowd's last request, `other` begins to send a burst now and then.
      for (int i = 0; i < 10 && ms > 5000 && ms % 500 == 0; ++i)
        refused_to_other += !ask(other);
      if (running == nullptr) running = scene.publish();
    }
    CHECK(refused_to_other == 0);
  }
}

TEST_CASE("scheduler: a request that would make an admitted one of its client late is refused") {
  for (const uint64_t later_ms : {110, 200}) {
    Scene scene(1);
    const uint32_t brief = scene.method(10 * kNsPerMs);
    const uint32_t slow = scene.method(60 * kNsPerMs);
    ClientShare& client = scene.client("one");
    scene.queue(client, brief);
    REQUIRE(scene.publish() != nullptr);
    Entry later[5];
    for (Entry& entry : later) {
      const uint64_t deadline = scene.now + later_ms * kNsPerMs;
      REQUIRE(!scene.scheduler.try_admit(entry, client, brief, scene.now, deadline));
      scene.scheduler.on_queued(entry, 0, 1);
    }
    Entry urgent;
    const auto refused =
        scene.scheduler.try_admit(urgent, client, slow, scene.now, scene.now + 100 * kNsPerMs);
    CHECK(refused.has_value() == (later_ms == 110));
  }
}

TEST_CASE("scheduler: clients that have left ask for no share, whichever group they were in") {
  Scene scene(2);
  const uint32_t method = scene.method(10 * kNsPerMs);
  ClientShare& stays = scene.client("stays");
  ClientShare& leaves = scene.client("leaves", 1, ShareTable::Kind::kAddress);
  const ShareGroup& root = scene.scheduler.shares().root();
  Entry& slow = scene.queue(leaves, method);
  REQUIRE(scene.publish() == &slow);
  for (int i = 0; i < 30; ++i) {
    Entry& entry = scene.queue(stays, method);
    REQUIRE(scene.publish() == &entry);
    scene.finish(entry, 100 * kNsPerMs);
    CHECK(root.has_rivals(stays));
  }
  scene.finish(slow, 0);
  CHECK(!root.has_rivals(stays));
}

TEST_CASE("scheduler: tags begin anew before they overflow") {
  Scene scene(1);
  const uint32_t method = scene.method(10 * kNsPerMs);
  ClientShare& light = scene.client("light", .001);
  ClientShare& other = scene.client("other");
  for (int i = 0; i < 200; ++i) {
    for (ClientShare* const client : {&light, &other}) {
      Entry& entry = scene.queue(*client, method);
      REQUIRE(scene.publish() == &entry);
      scene.finish(entry, 1'000'000'000 * kNsPerMs);
      CHECK(client->finish <= 2 * ShareGroup::kTagMax);
    }
  }
}

}  // namespace ringmaster::master
