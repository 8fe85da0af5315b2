#include "master/pipeline/job_timers.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <vector>

#include "base/clock.h"
#include "loop_support.h"
#include "master/pipeline/job.h"

namespace ringmaster::master {
namespace {

struct Timers {
  explicit Timers(std::function<void(Job&)> on_due = [](Job&) {})
      : timers(loop.get(), [this, on_due](Job& job) {
          fired.push_back(&job);
          fired_ns.push_back(now_ns());
          on_due(job);
        }) {}

  // Runs the loop until `count` timers have fired in all.
  void run(size_t count) {
    loop.run_until([&] { return fired.size() >= count; });
    REQUIRE(fired.size() == count);
  }

  test::Loop loop;
  JobTimers timers;
  std::vector<Job*> fired;
  std::vector<uint64_t> fired_ns;
};

constexpr uint64_t kHourNs = 3600 * 1000 * kNsPerMs;

}  // namespace

TEST_CASE("job timers: they fire in the order of the deadlines, none before its own") {
  Timers all;
  Job jobs[4];
  const uint64_t now = now_ns();
  const uint64_t last = now / kNsPerMs * kNsPerMs + kNsPerMs - 1;  // ns of this millisecond
  const uint64_t due_ns[] = {last + 12 * kNsPerMs, last + 3 * kNsPerMs, now, last + 3 * kNsPerMs};
  for (size_t i = 0; i < 4; ++i)
    all.timers.start(jobs[i], due_ns[i]);
  all.run(4);
  CHECK(all.fired == std::vector<Job*>{&jobs[2], &jobs[1], &jobs[3], &jobs[0]});
  for (size_t i = 0; i < 4; ++i)
    CHECK(all.fired_ns[i] >= due_ns[all.fired[i] - jobs]);
}

TEST_CASE("job timers: a stopped one does not fire, and can be started again") {
  Timers all;
  Job first, second;
  all.timers.start(first, now_ns());
  all.timers.stop(first);
  all.timers.stop(first);
  all.timers.start(second, now_ns());
  all.run(1);
  CHECK(all.fired == std::vector<Job*>{&second});
  all.timers.start(first, now_ns());
  all.run(2);
  CHECK(all.fired.back() == &first);
}

TEST_CASE("job timers: deadlines that share a list fire in their order, each at its own time") {
  Timers all;
  Job jobs[3];
  // The next list of later deadlines begins at `begin`.
  const uint64_t begin = (now_ns() / kNsPerMs / JobTimers::kLaterMs + 1) * JobTimers::kLaterMs;
  const uint64_t due_ns[] = {(begin + 20) * kNsPerMs, (begin + 10) * kNsPerMs, begin * kNsPerMs};
  for (size_t i = 0; i < 3; ++i)
    all.timers.start(jobs[i], due_ns[i]);
  all.run(3);
  CHECK(all.fired == std::vector<Job*>{&jobs[2], &jobs[1], &jobs[0]});
  for (size_t i = 0; i < 3; ++i)
    CHECK(all.fired_ns[i] >= due_ns[2 - i]);
}

TEST_CASE("job timers: all jobs of a list fire, also if one turn does not move all of them") {
  Timers all;
  std::vector<Job> jobs(2 * JobTimers::kMovedMax + 1);
  const uint64_t due_ns = now_ns() + 50 * kNsPerMs;
  for (Job& job : jobs)
    all.timers.start(job, due_ns);
  all.run(jobs.size());
  CHECK(*std::ranges::min_element(all.fired_ns) >= due_ns);
}

TEST_CASE("job timers: an earlier deadline does not wait for a later one") {
  Timers all;
  Job late, soon;
  all.timers.start(late, now_ns() + kHourNs);
  all.timers.start(soon, now_ns());
  all.run(1);
  CHECK(all.fired == std::vector<Job*>{&soon});
  all.timers.stop(late);
}

TEST_CASE("job timers: a callback may stop others and start its own again") {
  Job first, second, third;
  JobTimers* timers = nullptr;
  Timers all([&](Job& job) {
    if (&job != &first) return;
    timers->stop(second);
    timers->start(first, now_ns() + kHourNs);
  });
  timers = &all.timers;
  const uint64_t now = now_ns();
  all.timers.start(first, now);
  all.timers.start(second, now);
  all.timers.start(third, now);
  all.run(2);
  CHECK(all.fired == std::vector<Job*>{&first, &third});
  all.timers.stop(first);
}

}  // namespace ringmaster::master
