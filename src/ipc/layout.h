// Layout: where everything lies in the memories that master, fork server and workers share.
//
//   control   (all: rw)                     master bell, cursor, worker words, ring entries
//   payload   (master: rw, workers: r)      job headers, then the arena's blocks
//   results   (master: rw, its worker: rw)  a memory for each worker: result ring, sample ring
//
// Memory:  offsets and atomics only, never a pointer. Geometry is not in shared memory, where a
//          worker could change it: the master sends it to the fork server.
// Layout:  change anything here => bump kLayoutVersion. Master and fork server are the same
//          program: the version only detects a binary that was replaced while it ran.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ipc/doorbell.h"
#include "ipc/job_word.h"
#include "ipc/ring.h"

namespace ringmaster::ipc {

inline constexpr uint32_t kLayoutVersion = 9;

// The most views of a job: its params, and the output of each step but the last.
inline constexpr size_t kViewsMax = 8;

// Readable bytes behind each payload: see RINGMASTER_READABLE_PADDING in handler.h.
inline constexpr size_t kReadablePadding = 64;

struct View {  // of bytes in the payload region
  uint64_t offset;
  uint64_t size;
};

// A job's header, which the workers read. The master writes it before each publication, and not
// again until the job is answered or its worker has been reaped. `handler` and `batch` are atomic
// because a worker that fills a batch reads them before it claims the job: by then another worker
// may have the job, or the slot may hold the next job.
struct JobHeader {
  uint64_t deadline_ns;
  uint64_t method_deadline_ns;    // the master then ends a worker that still runs the job
  std::atomic<uint32_t> handler;  // index into the generation's handlers
  uint32_t method;                // index into the generation's methods
  uint32_t view_count;            // 1 to kViewsMax; the first: the params, size 0 if there are none
  uint32_t id_bytes;              // of the request's id, which lies right behind the params
  uint32_t traceparent_bytes;     // of the request's traceparent, which lies right behind the id
  // How many jobs a worker takes together that claims this one first. 0: its share of the unclaimed
  // ones.
  uint32_t taken_together;
  View views[kViewsMax];
  // The most jobs in one call of its handler; 1: this job alone.
  std::atomic<uint32_t> batch;
  uint32_t measures_cpu;  // 1: its result must report the CPU time
};
static_assert(sizeof(JobHeader) == 176);

struct alignas(64) WorkerWords {
  // The worker stores the JobWords of its jobs in hand here, in the order of their claims.
  // kFreeWord: no job.
  std::atomic<uint64_t> running[kBatchMax];
  WorkerBell bell;
};
static_assert(sizeof(WorkerWords) == 576);

struct ControlHead {
  alignas(64) MasterBell master_bell;
  alignas(64) AtomicWord cursor;
};
static_assert(sizeof(ControlHead) == 128);

struct Geometry {
  uint32_t layout_version = kLayoutVersion;
  uint32_t worker_slots = 0;
  uint32_t ring_entries = 0;
  uint32_t job_slots = 0;
  uint32_t samples_stacks = 1;  // 1: workers sample their own stacks
  uint64_t payload_bytes = 0;   // for blocks, without the headers
  uint64_t result_bytes = 0;    // the longest result

  size_t entries_offset() const { return sizeof(ControlHead) + worker_slots * sizeof(WorkerWords); }
  size_t control_bytes() const { return entries_offset() + ring_entries * sizeof(AtomicWord); }
  // Blocks begin on a page, behind the headers.
  size_t blocks_offset() const { return (job_slots * sizeof(JobHeader) + 4095) / 4096 * 4096; }
  // The padding of the last block is part of the region, too.
  size_t payload_region_bytes() const { return blocks_offset() + payload_bytes + kReadablePadding; }
};

}  // namespace ringmaster::ipc
