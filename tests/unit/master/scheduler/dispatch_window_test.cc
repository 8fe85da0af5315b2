#include "master/scheduler/dispatch_window.h"

#include <doctest/doctest.h>

namespace ringmaster::master {
namespace {

constexpr size_t kJobsMax = 256;

DispatchWindow with_workers(size_t count) {
  DispatchWindow backlog(kJobsMax);
  backlog.set_workers(count);
  return backlog;
}

// Publishes jobs of this length until there is no room: how many that are.
size_t fill(DispatchWindow& backlog, std::optional<double> run_ns) {
  size_t count = 0;
  for (; backlog.has_room(1); ++count)
    backlog.add(run_ns);
  return count;
}

}  // namespace

TEST_CASE("dispatch window: without workers there is no room") {
  DispatchWindow backlog = with_workers(0);
  CHECK(!backlog.has_room(1));
}

TEST_CASE("dispatch window: long jobs, and those of unknown length, are three for each worker") {
  for (const std::optional<double> run_ns : {std::optional<double>(), std::optional(30e6)}) {
    DispatchWindow backlog = with_workers(2);
    CHECK(fill(backlog, run_ns) == 6);
  }
}

TEST_CASE("dispatch window: short jobs are half a millisecond for each worker") {
  DispatchWindow backlog = with_workers(2);
  CHECK(fill(backlog, 10'000) == 100);
}

TEST_CASE(
    "dispatch window: of a handler that takes many together, so many are published, however long") {
  DispatchWindow backlog = with_workers(2);
  size_t count = 0;
  for (; backlog.has_room(16); ++count)
    backlog.add(std::nullopt);
  CHECK(count == 34);
  CHECK(!backlog.has_room(1));
}

TEST_CASE("dispatch window: jobs that take no time are as many as there may be") {
  DispatchWindow backlog = with_workers(2);
  CHECK(fill(backlog, 0) == kJobsMax);
}

TEST_CASE("dispatch window: of many workers each has its three jobs, whatever the limit") {
  DispatchWindow backlog = with_workers(512);
  CHECK(fill(backlog, 0) == 1536);
}

TEST_CASE("dispatch window: a job that ends makes room, whatever is expected of the others") {
  DispatchWindow backlog = with_workers(1);
  const uint64_t first = backlog.add(600'000);
  backlog.add(1000);
  const uint64_t third = backlog.add(std::nullopt);
  CHECK(!backlog.has_room(1));
  backlog.remove(third);
  CHECK(backlog.has_room(1));
  backlog.add(1000);
  CHECK(!backlog.has_room(1));
  backlog.remove(first);
  CHECK(backlog.has_room(1));
}

TEST_CASE("dispatch window: a handful of short jobs needs one worker, more of them more") {
  DispatchWindow backlog = with_workers(4);
  CHECK(backlog.workers_needed() == 0);
  for (int i = 0; i < 9; ++i)
    backlog.add(5000);
  CHECK(backlog.workers_needed() == 1);
  for (int i = 0; i < 4; ++i)
    backlog.add(5000);
  CHECK(backlog.workers_needed() == 2);
}

TEST_CASE("dispatch window: each long job needs a worker, as far as there are any") {
  DispatchWindow backlog = with_workers(4);
  for (size_t jobs = 1; jobs <= 6; ++jobs) {
    backlog.add(std::nullopt);
    CHECK(backlog.workers_needed() == (jobs < 4 ? jobs : 4));
  }
}

}  // namespace ringmaster::master
