// JobWord: one 64-bit word that names a job, and who has it. Entries of the ring and the workers'
// `running` words are JobWords, so that a job never lacks a name, whoever dies: see README.md.
//
// Layout: state (2 bits) | worker (10) | job (20) | sequence (32).
//         Change it => bump kLayoutVersion.
// Limits: 1024 workers, 1,048,576 jobs. The sequence number tells two uses of one job slot apart;
//         it wraps after 2^32 jobs, long after every word that could hold the old one is gone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringmaster::ipc {

inline constexpr uint32_t kWorkerSlotsMax = 1u << 10;
inline constexpr uint32_t kJobSlotsMax = 1u << 20;

// The most jobs that a worker has in hand at once: it has a word for each.
inline constexpr size_t kBatchMax = 64;

// A job: its slot in the master's table, and which use of that slot.
struct JobId {
  uint32_t job = 0;
  uint32_t sequence = 0;
  bool operator==(const JobId&) const = default;
};

enum class EntryState : uint8_t { kFree = 0, kReady = 1, kClaimed = 2 };

using JobWord = uint64_t;
inline constexpr JobWord kFreeWord = 0;

constexpr JobWord make_word(EntryState state, uint32_t worker, JobId id) {
  return static_cast<uint64_t>(state) << 62 | static_cast<uint64_t>(worker) << 52 |
         static_cast<uint64_t>(id.job) << 32 | id.sequence;
}
constexpr EntryState state_of(JobWord word) {
  return static_cast<EntryState>(word >> 62);
}
constexpr uint32_t worker_of(JobWord word) {
  return word >> 52 & (kWorkerSlotsMax - 1);
}
constexpr JobId job_of(JobWord word) {
  return {static_cast<uint32_t>(word >> 32) & (kJobSlotsMax - 1), static_cast<uint32_t>(word)};
}

static_assert(make_word(EntryState::kFree, 0, {}) == kFreeWord);
static_assert(worker_of(make_word(EntryState::kClaimed, kWorkerSlotsMax - 1, {})) ==
              kWorkerSlotsMax - 1);
static_assert(job_of(make_word(EntryState::kReady, 0, {kJobSlotsMax - 1, ~0u})) ==
              JobId{kJobSlotsMax - 1, ~0u});

}  // namespace ringmaster::ipc
