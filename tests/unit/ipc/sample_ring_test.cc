// The master finds only whole samples of one job in a worker's sample ring, whatever the worker has
// written there and wherever it was killed.
#include "ipc/sample_ring.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <sys/mman.h>

#include "guarded_memory.h"
#include "ipc/result_ring.h"
#include "support.h"
#include "traced.h"

namespace ringmaster::ipc {
namespace {

constexpr Publication kJob{3, 7};
constexpr Publication kLaterJob{4, 1};

// A SampleRing in memory that child processes share.
class SharedSamples {
 public:
  SharedSamples()
      : ring(*static_cast<SampleRing*>(::mmap(nullptr, sizeof(SampleRing), PROT_READ | PROT_WRITE,
                                              MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~SharedSamples() { ::munmap(&ring, sizeof ring); }
  SharedSamples(const SharedSamples&) = delete;
  SharedSamples& operator=(const SharedSamples&) = delete;

  SampleRing& ring;
};

void append(SampleRing& ring, Publication job, const std::vector<uint64_t>& frames,
            uint32_t ticks = 1) {
  append(ring, job, ticks, std::span(frames));
}

}  // namespace

TEST_CASE("sample ring: the samples of one job, the newest first") {
  const SharedSamples shared;
  CHECK(samples_of(shared.ring, kJob).empty());
  append(shared.ring, {3, 6}, {1});
  append(shared.ring, kJob, {10, 11, 12});
  append(shared.ring, kJob, {20}, 5);
  append(shared.ring, kLaterJob, {2});
  const std::vector<StackSample> found = samples_of(shared.ring, kJob);
  REQUIRE(found.size() == 2);
  CHECK(found[0].frames == std::vector<uint64_t>{20});
  CHECK(found[0].ticks == 5);
  CHECK(found[1].frames == std::vector<uint64_t>{10, 11, 12});
  CHECK(samples_of(shared.ring, {3, 8}).empty());
}

TEST_CASE("sample ring: a deep stack keeps its innermost frames") {
  const SharedSamples shared;
  std::vector<uint64_t> frames(SampleRing::kFramesMax + 5);
  for (size_t i = 0; i < frames.size(); ++i)
    frames[i] = i;
  append(shared.ring, kJob, frames);
  frames.resize(SampleRing::kFramesMax);
  CHECK(samples_of(shared.ring, kJob).front().frames == frames);
}

TEST_CASE("sample ring: a full ring has the newest samples") {
  const SharedSamples shared;
  for (uint64_t i = 0; i < 3 * SampleRing::kSamples; ++i)
    append(shared.ring, kJob, {i});
  const std::vector<StackSample> found = samples_of(shared.ring, kJob);
  REQUIRE(found.size() == SampleRing::kSamples - 1);  // the writer may be overwriting the oldest
  CHECK(found.front().frames.front() == 3 * SampleRing::kSamples - 1);
  CHECK(found.back().frames.front() == 2 * SampleRing::kSamples + 1);
}

TEST_CASE("sample ring: at most kLaterMax samples of later jobs are skipped") {
  const SharedSamples shared;
  append(shared.ring, kJob, {1});
  for (size_t i = 0; i < kLaterMax; ++i)
    append(shared.ring, kLaterJob, {2});
  CHECK(samples_of(shared.ring, kJob).size() == 1);
  append(shared.ring, kLaterJob, {2});
  CHECK(samples_of(shared.ring, kJob).empty());
}

TEST_CASE("sample ring: it lies behind the results, at the end of the memory") {
  const size_t bytes = worker_memory_bytes(4096);
  test::GuardedMemory memory(bytes);
  SampleRing& ring = sample_ring_in(memory.bytes());
  CHECK(reinterpret_cast<std::byte*>(&ring) == memory.bytes().data() + result_region_bytes(4096));
  append(ring, kJob, {1});
  CHECK(samples_of(ring, kJob).size() == 1);
}

TEST_CASE("sample ring: whatever a worker writes there, a read is bounded and stays inside") {
  test::GuardedMemory memory(worker_memory_bytes(4096));
  SampleRing& ring = sample_ring_in(memory.bytes());
  std::minstd_rand random(1);
  const auto scribble = [&] {
    for (auto* word = reinterpret_cast<uint32_t*>(&ring);
         word < reinterpret_cast<uint32_t*>(&ring + 1); ++word)
      *word = static_cast<uint32_t>(random());
  };
  for (int round = 0; round < 200; ++round) {
    scribble();
    for (SampleRing::Sample& sample : ring.samples)
      sample.job = make_word(EntryState::kFree, 0, kJob);
    if (round % 4 == 1) ring.head = ~uint64_t{0};
    if (round % 4 == 2) ring.head = random() % (2 * SampleRing::kSamples);
    if (round % 4 == 3) ring.head = 0;
    const std::vector<StackSample> found = samples_of(ring, kJob);
    CHECK(found.size() < SampleRing::kSamples);
    for (const StackSample& sample : found) {
      CHECK(sample.ticks <= kTicksMax);
      CHECK(!sample.frames.empty());
      CHECK(sample.frames.size() <= SampleRing::kFramesMax);
    }
  }
}

TEST_CASE("sample ring: a worker killed at any instruction leaves whole samples only" *
          doctest::skip(!test::kIsWayTheSame)) {
  const SharedSamples shared;
  // No memory is allocated on the way: what an allocator does depends on what it did before.
  static constexpr uint64_t kFirst[] = {1, 1}, kSecond[] = {2, 2, 2}, kThird[] = {3};
  const auto trace = [&] {
    return test::Traced([&] {
      return test::Child([&] {
        append(shared.ring, kJob, 1, kFirst);
        if (!test::stop_for_tracer()) return 102;
        append(shared.ring, kJob, 1, kSecond);
        append(shared.ring, kJob, 1, kThird);
        return 0;
      });
    });
  };
  const auto is_whole = [](const StackSample& sample) {
    return std::ranges::equal(sample.frames, kFirst) ||
           std::ranges::equal(sample.frames, kSecond) || std::ranges::equal(sample.frames, kThird);
  };
  test::Way way;
  std::vector<uint64_t> heads;  // by step
  {
    test::Traced worker = trace();
    REQUIRE(worker.is_stopped());
    do {
      way.add(worker.at());
      heads.push_back(shared.ring.head);
    } while (worker.step());
    CHECK(worker.exit_code() == 0);
  }
  CHECK(heads.front() == 1);
  CHECK(heads.back() == 3);
  way.for_each_step([&](size_t step) {
    shared.ring.head = 0;
    test::Traced worker = trace();
    way.lead(worker, step);
    worker.kill();
    const std::vector<StackSample> found = samples_of(shared.ring, kJob);
    CHECK(found.size() == heads[step]);
    for (const StackSample& sample : found)
      CHECK(is_whole(sample));
  });
}

}  // namespace ringmaster::ipc
