// ResultRing: the bytes that one worker gives back to the master, as records in a byte ring with
// one producer and one consumer.
//
//   record = header (32 bytes) + result bytes + padding to 32
//   a record never wraps: what does not fit before the end of the ring begins again at its start,
//   behind a skip record
//
// Processes: ResultWriter: the worker that the ring belongs to; ResultReader: the master.
// Death:     a record exists once its writer has stored the tail. A writer killed before that
//            leaves nothing that the reader could see.
// Memory:    one mapping per worker, shared by that worker and the master only.
// Limits:    a result of at most (capacity / 2 - header) bytes always finds room in an empty ring.
// Trust:     the reader believes nothing: every figure is checked before it is used, and read once.
// Orders:    the reader's load of the tail acquires what the writer's store released; sequentially
//            consistent, both, for the sake of the doorbell. The head goes the other way.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/status.h"
#include "ipc/job_word.h"

namespace ringmaster::ipc {

struct alignas(64) ResultRingWords {
  std::atomic<uint64_t> tail;              // bytes ever written; by the worker
  alignas(64) std::atomic<uint64_t> head;  // bytes ever taken; by the master
};
static_assert(sizeof(ResultRingWords) == 128);

struct alignas(32) RecordHeader {
  uint32_t size;  // of the result that follows
  uint32_t job;   // or kSkip
  uint32_t sequence;
  int32_t code;  // 0: a result; else the error's code, and the bytes are its message
  // What the worker took for it, or kNotRun. Of jobs that it had together: the time since they were
  // begun, by their number; so of a handler that answers them one after the other the first seem
  // too short.
  uint64_t run_ns;
};
static_assert(sizeof(RecordHeader) == 32);

inline constexpr uint32_t kSkip = ~0u;

// In place of the time that the handler took: the worker has answered without calling it.
inline constexpr uint64_t kNotRun = ~uint64_t{0};

// The bytes that a ring needs in its region for results of up to `result_bytes`: the words, and
// two of the longest records, so that one always fits contiguously. A multiple of the page size.
size_t result_region_bytes(size_t result_bytes);

class ResultWriter {
 public:
  // The whole region of this worker, zeroed or reset() by the master.
  explicit ResultWriter(std::span<std::byte> region);

  // Room for a result of `size` bytes, or null while the ring is too full. Nothing is visible and
  // nothing is kept until commit(); a second call replaces the first.
  char* try_reserve(size_t size);
  // Publishes the first `size` of the bytes that were reserved last. REQUIRES: so many were.
  void commit(Publication id, int32_t code, size_t size, uint64_t run_ns);

 private:
  std::byte* at(uint64_t position) const { return data_.data() + position % data_.size(); }

  ResultRingWords& words_;
  std::span<std::byte> data_;
  uint64_t tail_;
  uint64_t record_ = 0;             // where the reserved record begins
  std::optional<size_t> reserved_;  // the bytes of its result; empty: none is reserved
};

class ResultReader {
 public:
  explicit ResultReader(std::span<std::byte> region);

  struct Record {
    Publication id;
    int32_t code;
    uint64_t run_ns;
    std::string_view bytes;  // in shared memory: the worker may still scribble over it
    bool was_run() const { return run_ns != kNotRun; }
  };
  // The oldest record that was not popped. Empty: there is none. An error: what is there was not
  // written by our code; the worker cannot be trusted any more.
  Result<std::optional<Record>> peek();
  // What all records that are there at one time can take.
  uint64_t capacity() const { return data_.size(); }
  // Gives the space of the record that peek() returned back to the worker.
  void pop();

  // Begins anew at zero, whatever a dead worker left there. Only while the slot has no process.
  void reset();

  bool was_empty() const { return words_.tail.load(std::memory_order_seq_cst) == head_; }

 private:
  ResultRingWords& words_;
  std::span<std::byte> data_;
  uint64_t head_;        // ours: the word in shared memory only tells the worker
  uint64_t peeked_ = 0;  // length of the record that peek() returned
};

}  // namespace ringmaster::ipc
