#include "ipc/sample_ring.h"

#include <algorithm>
#include <optional>

#include "ipc/result_ring.h"

namespace ringmaster::ipc {
namespace {

constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

uint64_t word_of(Publication job) {
  return make_word(EntryState::kFree, 0, job);
}

// Empty: there is no such sample, or the writer may have written over it.
std::optional<StackSample> copy(const SampleRing& ring, uint64_t number) {
  const SampleRing::Sample& sample = ring.samples[number % SampleRing::kSamples];
  const size_t depth = std::min<size_t>(sample.depth.load(kAcquire), SampleRing::kFramesMax);
  StackSample copied{std::min(sample.ticks.load(kAcquire), kTicksMax), {}};
  for (const auto& frame : std::span(sample.frames, depth))
    copied.frames.push_back(frame.load(kAcquire));
  // While the head is `head`, the writer may be writing where sample `head - kSamples` was.
  const bool is_whole = ring.head.load(kAcquire) < number + SampleRing::kSamples;
  if (!is_whole || depth == 0) return std::nullopt;
  return copied;
}

}  // namespace

size_t worker_memory_bytes(uint64_t result_bytes) {
  return result_region_bytes(result_bytes) + sizeof(SampleRing);
}

SampleRing& sample_ring_in(std::span<std::byte> memory) {
  return *reinterpret_cast<SampleRing*>(memory.last(sizeof(SampleRing)).data());
}

void append(SampleRing& ring, Publication job, uint32_t ticks, std::span<const uint64_t> frames) {
  const uint64_t head = ring.head.load(kAcquire);
  SampleRing::Sample& sample = ring.samples[head % SampleRing::kSamples];
  const size_t depth = std::min(frames.size(), SampleRing::kFramesMax);
  sample.job.store(word_of(job), kRelease);
  sample.ticks.store(ticks, kRelease);
  sample.depth.store(static_cast<uint32_t>(depth), kRelease);
  for (size_t i = 0; i < depth; ++i)
    sample.frames[i].store(frames[i], kRelease);
  ring.head.store(head + 1, kRelease);
}

std::vector<StackSample> samples_of(const SampleRing& ring, Publication job) {
  std::vector<StackSample> found;
  const uint64_t head = ring.head.load(kAcquire);
  size_t later = 0;
  for (uint64_t age = 1; age < SampleRing::kSamples && age <= head; ++age) {
    const uint64_t number = head - age;
    if (ring.samples[number % SampleRing::kSamples].job.load(kAcquire) == word_of(job)) {
      if (std::optional<StackSample> sample = copy(ring, number))
        found.push_back(std::move(*sample));
    } else if (!found.empty() || ++later > kLaterMax) {
      break;
    }
  }
  return found;
}

}  // namespace ringmaster::ipc
