// ResultRing: passes one worker's results to the master, as records in a byte ring with one
// producer and one consumer.
//
//   record = header (32 bytes) + result bytes + padding to 32
//
// A record never wraps: a record that does not fit before the ring's end is written at the ring's
// start, behind a skip record.
//
// Processes: ResultWriter: the worker that the ring belongs to; ResultReader: the master.
// Death:     a record exists once its writer has stored the tail. A writer killed before that
//            leaves nothing visible to the reader.
// Memory:    one mapping per worker, shared by that worker and the master only.
// Limits:    a result of at most (capacity / 2 - header) bytes always finds room in an empty ring.
// Trust:     the reader reads every number once, and checks it before use.
// Orders:    the reader's load of the tail acquires what the writer's store released; both are
//            sequentially consistent, as Dekker's rule requires (doorbell.h). The writer's load of
//            the head acquires what the reader's store released.
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
  std::atomic<uint64_t> tail;              // bytes ever written; stored by the worker
  alignas(64) std::atomic<uint64_t> head;  // bytes ever taken; stored by the master
};
static_assert(sizeof(ResultRingWords) == 128);

struct alignas(32) RecordHeader {
  uint32_t size;  // bytes of the result that follows
  uint32_t job;   // or kSkip
  uint32_t sequence;
  int32_t code;  // 0: a result. Else an error: the bytes are its message, then '\0' and any details
  // The time that the worker has spent on the job: on the check of its params, and on its run; or
  // not_called(), or kNotRun. In a batch the time of a run is the time since the call of the
  // handler, divided by the size of the batch. If the handler answers one job after the other, the
  // quotient is too short for the first jobs.
  uint64_t run_ns;
  // The worker's CPU time since it called the handler, divided by the size of the batch; 0: not
  // measured.
  uint64_t cpu_ns = 0;
};
static_assert(sizeof(RecordHeader) == 32);

inline constexpr uint32_t kSkip = ~0u;

// This bit of run_ns: the worker answered without calling the handler. The other bits: the time of
// the check.
inline constexpr uint64_t kNotCalledBit = uint64_t{1} << 63;
constexpr uint64_t not_called(uint64_t took_ns) {
  return took_ns | kNotCalledBit;
}
// As run_ns: the worker has answered without a check and without calling the handler.
inline constexpr uint64_t kNotRun = ~uint64_t{0};

// The bytes that a ring needs in its region for results of up to `result_bytes`: the words, and
// two of the longest records, so that one always fits contiguously. A multiple of the page size.
size_t result_region_bytes(size_t result_bytes);

class ResultWriter {
 public:
  // The whole region of this worker, zeroed or reset() by the master.
  explicit ResultWriter(std::span<std::byte> region);

  // Room for a result of `size` bytes, or null while the ring is too full. Invisible to the master
  // until commit(); a second call replaces the first.
  char* try_reserve(size_t size);
  // Publishes the first `size` bytes of the last reservation. REQUIRES: it has as many.
  void commit(Publication id, int32_t code, size_t size, uint64_t run_ns, uint64_t cpu_ns = 0);

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
    uint64_t cpu_ns;
    std::string_view bytes;  // in shared memory: the worker may still overwrite it
    bool was_run() const { return (run_ns & kNotCalledBit) == 0; }
    // The worker's time for the job. Empty: it spent none.
    std::optional<uint64_t> used_ns() const {
      if (run_ns == kNotRun) return std::nullopt;
      return run_ns & ~kNotCalledBit;
    }
  };
  // The oldest record that was not popped. Empty: there is none. An error: the ring is damaged, and
  // the worker must not be trusted any more.
  Result<std::optional<Record>> peek();
  // The most bytes that all records in the ring can take.
  uint64_t capacity() const { return data_.size(); }
  // Frees the space of the record that peek() returned.
  void pop();

  // Resets the ring after a worker has died. REQUIRES: the slot has no process.
  void reset();

  bool was_empty() const { return words_.tail.load(std::memory_order_seq_cst) == head_; }

 private:
  ResultRingWords& words_;
  std::span<std::byte> data_;
  uint64_t head_;        // the master's own: the shared word only informs the worker
  uint64_t peeked_ = 0;  // length of the record that peek() returned
};

}  // namespace ringmaster::ipc
