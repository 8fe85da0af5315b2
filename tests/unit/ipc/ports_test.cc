// MasterPort and WorkerPort across a real fork().
#include <algorithm>
#include <doctest/doctest.h>
#include <thread>

#include "ports_support.h"

namespace ringmaster::ipc {

TEST_CASE("ports: a job goes to a worker, and its result comes back") {
  Floor floor;
  test::Child worker = floor.fork_worker(1, [](WorkerPort& port) {
    port.announce_ready();
    return echo_one(port);
  });
  floor.publish({7, 42}, "[1,2]");
  CHECK(floor.wait_for(1) == std::vector<Answer>{{1, {7, 42}, 0, "[1,2]"}});
  CHECK(worker.exit_code() == 0);
  CHECK(!floor.worker_of({7, 42}));
  CHECK(floor.port.take_over(1).empty());
}

TEST_CASE(
    "ports: a worker takes together only jobs of one handler with a batch, and sees its share") {
  Floor floor;
  const Words words = floor.words();
  words.workers[0].bell.announce_sleep();
  words.workers[1].bell.announce_sleep();
  for (const Publication id : {Publication{1, 1}, {2, 1}, {3, 1}, {4, 1}})
    floor.publish(id, "params");
  floor.store.header(3).handler = 1;
  floor.store.header(4).batch = 1;
  test::Child worker = floor.fork_worker(0, [](WorkerPort& port) {
    const auto first = port.try_next().value();
    if (!first || first->id != Publication{1, 1} || port.was_share() != 1) return 1;
    const auto second = port.try_next_like(*first);
    if (!second || second->id != Publication{2, 1}) return 2;
    if (port.try_next_like(*first)) return 3;  // of another handler
    const auto third = port.try_next().value();
    if (!third || third->id != Publication{3, 1}) return 4;
    if (port.try_next_like(*third)) return 5;  // to be run alone
    const auto fourth = port.try_next().value();
    if (!fourth || port.try_next_like(*fourth)) return 6;  // no job is left
    return 0;
  });
  CHECK(worker.exit_code() == 0);
  CHECK(floor.port.were_running(0) == std::vector<Publication>{{1, 1}, {2, 1}, {3, 1}, {4, 1}});
  CHECK(floor.port.take_over(0).size() == 4);
  CHECK(floor.port.were_running(0).empty());
}

TEST_CASE("ports: an error's code and message come back") {
  Floor floor;
  test::Child worker = floor.fork_worker(0, [](WorkerPort& port) {
    std::memcpy(port.reserve(6), "no way", 6);
    port.commit({1, 2}, -32000, 6, 0);
    return 0;
  });
  CHECK(floor.wait_for(1) == std::vector<Answer>{{0, {1, 2}, -32000, "no way"}});
}

TEST_CASE("ports: two workers race for jobs of two handlers: neither gets both kinds at once") {
  constexpr uint32_t kJobs = 50'000;
  Floor floor;
  const auto work = [](WorkerPort& port) {
    for (;;) {
      const std::optional<WorkerPort::Job> first = port.try_next().value();
      if (!first) continue;
      std::vector<WorkerPort::Job> jobs = {*first};
      while (const std::optional<WorkerPort::Job> next = port.try_next_like(*first))
        jobs.push_back(*next);
      for (const WorkerPort::Job& job : jobs) {
        if (job.header->handler != first->header->handler) return 1;
      }
      for (const WorkerPort::Job& job : jobs) {
        if (port.reserve(0) == nullptr) return 2;
        port.commit(job.id, 0, 0, 0);
      }
      port.finish();
    }
  };
  test::Child first = floor.fork_worker(0, work);
  test::Child second = floor.fork_worker(1, work);
  uint32_t published = 0;
  std::vector<uint32_t> free = {0, 1, 2, 3};
  std::vector<int> answered(kJobs);
  for (uint32_t count = 0; count < kJobs;) {
    for (; published < kJobs && !free.empty(); ++published, free.pop_back()) {
      floor.store.header(free.back()).handler = published % 2;
      floor.store.header(free.back()).batch = kBatchMax;
      REQUIRE(floor.port.try_publish({free.back(), published}));
    }
    const std::vector<Answer> answers = floor.wait_for(1);
    REQUIRE(!answers.empty());  // neither worker has ended
    for (const Answer& answer : answers) {
      free.push_back(answer.id.job);
      ++answered[answer.id.sequence];
      ++count;
    }
  }
  CHECK(std::count(answered.begin(), answered.end(), 1) == kJobs);
}

TEST_CASE(
    "ports: invariant 6: a worker that sleeps is woken for each job, a master for each result") {
  constexpr uint32_t kRounds = 5000;
  Floor floor(1);
  test::Child worker = floor.fork_worker(0, [](WorkerPort& port) {
    for (uint32_t i = 0; i < kRounds; ++i) {
      if (echo_one(port) != 0) return 1;
    }
    return 0;
  });
  for (uint32_t i = 0; i < kRounds; ++i) {
    floor.publish({0, i}, "x");
    REQUIRE(floor.wait_for(1).size() == 1);  // sleeps for ever where a wake-up is lost
  }
  CHECK(worker.exit_code() == 0);
}

TEST_CASE("ports: a worker that becomes ready rings the bell of a sleeping master") {
  Floor floor;
  CHECK(floor.port.was_state(0) == WorkerState::kAbsent);
  floor.port.announce_sleep(MasterBell::Sleep::kSleeping);
  test::Child worker = floor.fork_worker(0, [](WorkerPort& port) {
    port.announce_ready();
    return ::raise(SIGSTOP);
  });
  REQUIRE(worker.was_stopped());
  CHECK(floor.port.was_state(0) == WorkerState::kAwake);
  CHECK(floor.port.was_state(1) == WorkerState::kAbsent);
  pollfd polled{floor.port.event_fd(), POLLIN, 0};
  CHECK(::poll(&polled, 1, 0) == 1);
  worker.kill();
  CHECK(floor.port.take_over(0).empty());
  CHECK(floor.port.was_state(0) == WorkerState::kAbsent);
}

TEST_CASE("ports: the end of a batch, and no result before it, wakes a master that naps") {
  Floor floor(1);
  for (uint32_t job = 0; job < 3; ++job)
    floor.publish({job, 0}, "x");
  floor.port.announce_sleep(MasterBell::Sleep::kNapping);
  test::Child worker = floor.fork_worker(0, [](WorkerPort& port) {
    std::vector<WorkerPort::Job> jobs = {*port.try_next().value()};
    while (const std::optional<WorkerPort::Job> next = port.try_next_like(jobs.front()))
      jobs.push_back(*next);
    for (const WorkerPort::Job& job : jobs) {
      if (port.reserve(0) == nullptr) return 1;
      port.commit(job.id, 0, 0, 0);
    }
    ::raise(SIGSTOP);
    port.finish();
    return 0;
  });
  REQUIRE(worker.was_stopped());
  pollfd polled{floor.port.event_fd(), POLLIN, 0};
  CHECK(::poll(&polled, 1, 0) == 0);
  ::kill(worker.pid(), SIGCONT);
  CHECK(::poll(&polled, 1, kForeverNs / kNsPerMs) == 1);
  CHECK(floor.drain().size() == 3);
  CHECK(worker.exit_code() == 0);
}

TEST_CASE("ports: the workers busy last are woken first, and no more than asked for") {
  Floor floor(3);
  Words words = floor.words();
  const auto put_to_sleep = [&](std::vector<uint32_t> workers) {
    for (WorkerWords& worker : words.workers)
      worker.bell.cancel_sleep();
    for (const uint32_t worker : workers)
      words.workers[worker].bell.announce_sleep();
  };
  const auto woken_by = [&](size_t count) {
    std::vector<uint32_t> asleep_before;
    for (uint32_t i = 0; i < 3; ++i) {
      if (floor.port.was_state(i) == WorkerState::kAsleep) asleep_before.push_back(i);
    }
    const size_t woken = floor.port.wake(count);
    std::erase_if(asleep_before, [&](uint32_t worker) {
      return floor.port.was_state(worker) == WorkerState::kAsleep;
    });
    CHECK(woken == asleep_before.size());
    return asleep_before;
  };
  for (const uint32_t worker : {1u, 2u, 0u, 2u}) {  // the latest results: of 2, then 0, then 1
    const Region region = floor.results_of(worker);
    ResultWriter writer({region.data(), region.size()});
    REQUIRE(writer.try_reserve(1) != nullptr);
    writer.commit({worker, 1}, 0, 1, 0);
    CHECK(floor.drain().size() == 1);
  }
  put_to_sleep({0, 1, 2});
  CHECK(floor.port.were_awake() == 0);
  CHECK(woken_by(1) == std::vector<uint32_t>{2});
  CHECK(woken_by(1) == std::vector<uint32_t>{0});
  CHECK(floor.port.were_awake() == 2);
  CHECK(floor.port.was_any_asleep());
  CHECK(woken_by(1) == std::vector<uint32_t>{1});
  CHECK(!floor.port.was_any_asleep());
  CHECK(woken_by(1).empty());
  put_to_sleep({0, 1, 2});
  CHECK(woken_by(2) == std::vector<uint32_t>{0, 2});
  put_to_sleep({0, 1});
  CHECK(woken_by(5) == std::vector<uint32_t>{0, 1});
}

TEST_CASE("ports: to publish wakes nobody, and says when the ring is full") {
  Floor floor;
  Words words = floor.words();
  words.workers[1].bell.announce_sleep();
  CHECK(!floor.port.was_any_ready());
  for (uint32_t job = 1; job <= floor.geometry.ring_entries; ++job)
    REQUIRE(floor.port.try_publish({job, 1}));
  CHECK(floor.port.was_any_ready());
  CHECK(floor.port.was_state(1) == WorkerState::kAsleep);
  CHECK(!floor.port.try_publish({9, 1}));
}

TEST_CASE("ports: a worker follows no forged word to a header that is not the master's") {
  // A client's params lie where the header of this job would lie.
  const Publication forged{Floor().geometry.job_slots + 24, 1};
  const JobWord word = make_word(EntryState::kReady, 0, forged);
  const std::string params(4096, '\1');
  {
    Floor floor;
    REQUIRE(forged.job * sizeof(JobHeader) > floor.geometry.blocks_offset());
    floor.publish({1, 1}, params);
    const auto take_one = [](WorkerPort& port) { return port.try_next() ? 0 : 7; };
    CHECK(floor.fork_worker(0, take_one).exit_code() == 0);
    const Words words = floor.words();
    words.entries[2] = word;
    CHECK(floor.fork_worker(1, take_one).exit_code() == 7);
    CHECK(floor.port.take_over(1) == std::vector<Publication>{forged});
    CHECK(words.entries[2] == kFreeWord);
  }
  // Nor does a worker take such a job together with a valid one.
  Floor floor;
  floor.publish({1, 1}, params);
  floor.words().entries[1] = word;
  test::Child worker = floor.fork_worker(0, [](WorkerPort& port) {
    const auto first = port.try_next().value();
    if (!first || port.try_next_like(*first)) return 1;
    port.finish();
    return port.try_next() ? 2 : 7;
  });
  CHECK(worker.exit_code() == 7);
}

TEST_CASE("ports: a worker takes no job whose header has more views than there can be") {
  for (const uint32_t views : {uint32_t{0}, uint32_t{kViewsMax + 1}}) {
    Floor floor;
    floor.publish({3, 1}, "params");
    floor.store.header(3).view_count = views;
    const auto take_one = [](WorkerPort& port) { return port.try_next() ? 0 : 7; };
    CHECK(floor.fork_worker(0, take_one).exit_code() == 7);
  }
}

}  // namespace ringmaster::ipc
