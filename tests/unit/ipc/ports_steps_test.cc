// At each instruction of a worker that takes jobs for a batch, another worker takes the jobs that
// are in the ring, and the master publishes a job of another handler in their place.
#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ports_support.h"
#include "traced.h"

namespace ringmaster::ipc {
namespace {

void publish_three(Floor& floor) {
  for (const uint32_t job : {1u, 2u, 3u})
    floor.publish({job, 1}, "params");
}

// A worker that has two jobs, and stops before it takes the third. Its exit code is 1 if the third
// is of another handler.
test::Traced trace(const Floor& floor) {
  const auto take_three = [](WorkerPort& port) {
    const WorkerPort::Job first = *port.try_next().value();
    // Calls both functions before the stop, so that the loader has bound them.
    if (!port.try_next_like(first) || ::syscall(SYS_getpid) == 0) return 103;
    if (!test::stop_for_tracer()) return 102;
    const auto third = port.try_next_like(first);
    ::syscall(SYS_exit_group, third && third->header->handler != first.header->handler);
    return 104;
  };
  return test::Traced([&] { return floor.fork_worker(0, take_three); });
}

}  // namespace

TEST_CASE("ports: at every instruction, a batch takes no job of another handler") {
  SKIP_UNLESS(test::ptrace_stops());
  test::Way way;
  Floor undisturbed;
  publish_three(undisturbed);
  test::Traced first = trace(undisturbed);
  REQUIRE(first.is_stopped());
  do {
    way.add(first.at());
  } while (first.step());
  CHECK(first.exit_code() == 0);
  CHECK(undisturbed.port.were_running(0) == std::vector<Publication>{{1, 1}, {2, 1}, {3, 1}});
  if (!test::kIsWayTheSame) return;

  const size_t tried = way.for_each_step([&](size_t step) {
    CAPTURE(step);
    Floor floor;
    publish_three(floor);
    test::Traced worker = trace(floor);
    way.lead(worker, step);
    Words words = floor.words();
    while (const std::optional<Ring::Claim> claim = words.ring.try_claim(1))
      words.ring.release(claim->entry);
    floor.store.header(4).handler = 1;
    floor.store.header(4).batch = kBatchMax;
    REQUIRE(floor.port.try_publish({4, 1}));
    worker.run();
    CHECK(worker.exit_code() == 0);
  });
  MESSAGE("tried at " << tried << " of " << way.length() << " instructions");
}

}  // namespace ringmaster::ipc
