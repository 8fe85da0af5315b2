// A worker's samples of its own stack.
#include "worker/sampler.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <sys/mman.h>

#include "support.h"
#include "worker/crash/crash_report.h"

namespace ringmaster::worker {
namespace {

constexpr ipc::Publication kJob{1, 2};

struct Shared {
  ipc::SampleRing ring;
  std::atomic<uint64_t> spins;
};

Shared& map_shared() {
  void* mapped =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED);
  return *static_cast<Shared*>(mapped);
}

// Uses CPU time until the ring has `count` samples.
[[gnu::noinline]] void spin(Shared& shared, uint64_t count) {
  while (shared.ring.head.load(std::memory_order_acquire) < count)
    shared.spins.fetch_add(1, std::memory_order_relaxed);
}
[[gnu::noinline]] void outer(Shared& shared, uint64_t count) {
  spin(shared, count);
  shared.spins.fetch_add(1, std::memory_order_relaxed);  // so that spin() is no tail call
}

uint64_t address_of(void (*function)(Shared&, uint64_t)) {
  return reinterpret_cast<uint64_t>(function);
}

// Starts a process that reports its crashes, is sampled, and runs `body`.
template <class Body>
test::Child start(CrashReports& reports, Shared& shared, JobAtWork job_at_work, const Body& body) {
  return test::Child([&] {
    ::signal(SIGSEGV, SIG_DFL);  // replaces a sanitizer's or the test program's handler
    if (!reports.report_to(0, [](int) {})) return 100;
    if (!start_sampling(shared.ring, job_at_work, __builtin_frame_address(0))) return 101;
    body();
    return 0;
  });
}

std::optional<ipc::Publication> the_job() {
  return kJob;
}

}  // namespace

TEST_SUITE_BEGIN("sampler" * doctest::skip(test::kAreSignalHandlersWrapped));

TEST_CASE("sampler: it notes the functions on the stack up to `outermost`, and not its callers") {
  CrashReports reports;
  REQUIRE(reports.create(1));
  Shared& shared = map_shared();
  test::Child child = start(reports, shared, the_job, [&] { outer(shared, 5); });
  CHECK(child.exit_code() == 0);
  const std::vector<ipc::StackSample> samples = ipc::samples_of(shared.ring, kJob);
  REQUIRE(samples.size() == 5);
  for (const ipc::StackSample& sample : samples) {
    CHECK(sample.ticks >= 1);
    REQUIRE(sample.frames.size() >= 2);
    CHECK(sample.frames.size() < 8);
    const auto inner = std::ranges::find(sample.frames, address_of(spin));
    REQUIRE(inner != sample.frames.end());
    CHECK(*(inner + 1) == address_of(outer));
  }
}

TEST_CASE("sampler: without a job nothing is noted") {
  CrashReports reports;
  REQUIRE(reports.create(1));
  Shared& shared = map_shared();
  static std::atomic<int> asked;
  const auto no_job = []() -> std::optional<ipc::Publication> {
    ++asked;
    return std::nullopt;
  };
  test::Child child = start(reports, shared, no_job, [&] {
    while (asked < 3)
      shared.spins.fetch_add(1, std::memory_order_relaxed);
  });
  CHECK(child.exit_code() == 0);
  CHECK(shared.ring.head == 0);
}

TEST_CASE("sampler: a long job's later samples stand for more ticks") {
  CrashReports reports;
  REQUIRE(reports.create(1));
  Shared& shared = map_shared();
  test::Child child = start(reports, shared, the_job, [&] { outer(shared, 20); });
  CHECK(child.exit_code() == 0);
  const std::vector<ipc::StackSample> samples = ipc::samples_of(shared.ring, kJob);
  REQUIRE(samples.size() == 20);
  for (size_t i = 0; i < 4; ++i)  // the newest
    CHECK(samples[i].ticks >= 2);
}

TEST_CASE("sampler: a stack that cannot be walked costs frames, and not the process") {
  CrashReports reports;
  REQUIRE(reports.create(1));
  Shared& shared = map_shared();
  // While outer() runs, the return address of its caller is damaged.
  test::Child child = start(reports, shared, the_job, [&] {
    auto* const frame = static_cast<void**>(__builtin_frame_address(0));
    void* const caller = frame[1];
    frame[1] = reinterpret_cast<void*>(uintptr_t{0x1234});
    outer(shared, 5);
    frame[1] = caller;
  });
  CHECK(child.exit_code() == 0);
  CHECK(ipc::samples_of(shared.ring, kJob).size() == 5);
}

TEST_CASE("sampler: if SIGSEGV has another handler, only the function at work is noted") {
  CrashReports reports;
  REQUIRE(reports.create(1));
  Shared& shared = map_shared();
  test::Child child = start(reports, shared, the_job, [&] {
    ::signal(SIGSEGV, [](int) { ::_exit(7); });
    outer(shared, 3);
  });
  CHECK(child.exit_code() == 0);
  for (const ipc::StackSample& sample : ipc::samples_of(shared.ring, kJob))
    CHECK(sample.frames.size() == 1);
}

TEST_CASE("sampler: killed at any moment, it leaves whole samples") {
  CrashReports reports;
  REQUIRE(reports.create(1));
  std::minstd_rand random(1);
  for (int round = 0; round < 10; ++round) {
    Shared& shared = map_shared();
    test::Child child = start(reports, shared, the_job, [&] { outer(shared, ~uint64_t{0}); });
    const uint64_t spins = random() % 100'000;
    const test::Deadline deadline;
    while (shared.ring.head < 2 || shared.spins < spins)
      REQUIRE(!deadline.is_over());
    child.kill();
    const std::vector<ipc::StackSample> samples = ipc::samples_of(shared.ring, kJob);
    CHECK(samples.size() >= 2);
    for (const ipc::StackSample& sample : samples)
      CHECK(std::ranges::count(sample.frames, address_of(spin)) == 1);
  }
}

TEST_SUITE_END();

}  // namespace ringmaster::worker
