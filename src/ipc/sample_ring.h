// SampleRing: the last samples that a worker has taken of its own stack.
//
// Processes: append(): the worker, in a signal handler; samples_of(): the master.
// Death:     a sample exists once its writer has stored the head. A worker killed before that
//            leaves nothing visible.
// Memory:    behind the worker's result ring, in the memory of that worker and the master.
// Limits:    kSamples samples; a newer one takes the place of the oldest. A sample keeps the
//            innermost kFramesMax frames.
// Trust:     samples_of() checks each number that it reads; the frames may be any numbers.
// Orders:    the reader's load of the head acquires what the writer's store released. After each
//            copy the reader loads the head again, and drops the copy if the writer may have begun
//            to overwrite that sample. Each store into a sample releases the head that was stored
//            before it: a reader that sees such a store sees that head, too.
// Layout:    change it => bump kLayoutVersion.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ipc/job_word.h"

namespace ringmaster::ipc {

struct SampleRing {
  static constexpr size_t kSamples = 127;  // with the head: 64 KiB
  static constexpr size_t kFramesMax = 62;

  struct Sample {
    std::atomic<uint64_t> job;    // the publication that the worker was at: job << 32 | sequence
    std::atomic<uint32_t> ticks;  // how many ticks of the timer the sample stands for
    std::atomic<uint32_t> depth;
    std::atomic<uint64_t> frames[kFramesMax];  // innermost first
  };

  alignas(sizeof(Sample)) std::atomic<uint64_t> head;  // samples ever taken
  alignas(sizeof(Sample)) Sample samples[kSamples];
};
static_assert(sizeof(SampleRing) == 64 << 10);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// The CPU time of the worker's thread from tick to tick.
inline constexpr uint64_t kSamplePeriodNs = 10'000'000;

// The bytes of a worker's memory: its result ring, then its SampleRing.
size_t worker_memory_bytes(uint64_t result_bytes);
// `memory`: worker_memory_bytes() long.
SampleRing& sample_ring_in(std::span<std::byte> memory);

// Calls only async-signal-safe functions.
void append(SampleRing& ring, Publication job, uint32_t ticks, std::span<const uint64_t> frames);

struct StackSample {
  uint32_t ticks;                // at most kTicksMax
  std::vector<uint64_t> frames;  // innermost first, at least one
};
inline constexpr uint32_t kTicksMax = 1 << 16;
// The job's samples that are still in the ring, the newest first. Skips at most kLaterMax newer
// samples, of other jobs.
std::vector<StackSample> samples_of(const SampleRing& ring, Publication job);
inline constexpr size_t kLaterMax = 16;

}  // namespace ringmaster::ipc
