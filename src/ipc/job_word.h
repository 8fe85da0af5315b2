// JobWord: one 64-bit word that names one publication of a job, and the worker that has it. Entries
// of the ring and the workers' `running` words are JobWords, so that some word names each published
// job, whichever worker dies: see README.md.
//
// Layout: state (2 bits) | worker (10) | job (20) | sequence (32).
//         Change it => bump kLayoutVersion.
// Limits: 1024 workers, 1,048,576 jobs. The sequence wraps after 2^32 publications from one job
//         slot. One slot serves at most some 50,000 a second (publish, run, take, in turns), so a
//         wrap takes a day. A worker keeps the word of a former publication only until it has
//         finished its batch: at most two audits (2 s) past the latest deadline in the batch.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringmaster::ipc {

inline constexpr uint32_t kWorkerSlotsMax = 1u << 10;
inline constexpr uint32_t kJobSlotsMax = 1u << 20;

// The most jobs that a worker has in hand at once, with a word for each.
inline constexpr size_t kBatchMax = 64;

// One publication of a job: the job's slot in the master's table, and the count of publications
// from that slot. Each step and each attempt of a job is a publication of its own, so a worker's
// word for a former step never names the present one.
struct Publication {
  uint32_t job = 0;
  uint32_t sequence = 0;
  bool operator==(const Publication&) const = default;
};

enum class EntryState : uint8_t { kFree = 0, kReady = 1, kClaimed = 2 };

using JobWord = uint64_t;
inline constexpr JobWord kFreeWord = 0;

constexpr JobWord make_word(EntryState state, uint32_t worker, Publication id) {
  return static_cast<uint64_t>(state) << 62 | static_cast<uint64_t>(worker) << 52 |
         static_cast<uint64_t>(id.job) << 32 | id.sequence;
}
constexpr EntryState state_of(JobWord word) {
  return static_cast<EntryState>(word >> 62);
}
constexpr uint32_t worker_of(JobWord word) {
  return word >> 52 & (kWorkerSlotsMax - 1);
}
constexpr Publication publication_of(JobWord word) {
  return {static_cast<uint32_t>(word >> 32) & (kJobSlotsMax - 1), static_cast<uint32_t>(word)};
}

static_assert(make_word(EntryState::kFree, 0, {}) == kFreeWord);
static_assert(worker_of(make_word(EntryState::kClaimed, kWorkerSlotsMax - 1, {})) ==
              kWorkerSlotsMax - 1);
static_assert(publication_of(make_word(EntryState::kReady, 0, {kJobSlotsMax - 1, ~0u})) ==
              Publication{kJobSlotsMax - 1, ~0u});

}  // namespace ringmaster::ipc
