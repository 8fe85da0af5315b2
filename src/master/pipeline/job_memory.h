// JobMemory: gives payload memory to jobs. While little of it is left, a client whose other jobs
// hold its part of the memory gets no more: see Scheduler::refuse_memory().
//
// Processes: the master only.
// Memory:    a block belongs to its job; JobTable::free() frees it at the latest.
#pragma once

#include <cstdint>
#include <optional>

#include <tl/expected.hpp>

#include "ipc/payload_store.h"
#include "master/pipeline/job.h"
#include "master/scheduler/scheduler.h"

namespace ringmaster::master {

class JobMemory {
 public:
  // Why a job gets no block. `part_bytes`: the client's part of the memory, which its other jobs
  // hold already. Empty: no free block is long enough.
  struct Refusal {
    std::optional<uint64_t> part_bytes;
  };

  JobMemory(ipc::PayloadStore& store, Scheduler& scheduler)
      : store_(store), scheduler_(scheduler) {}

  // A block that `bytes` bytes can be written to.
  tl::expected<ipc::Block, Refusal> allocate(Job& job, uint64_t bytes);
  void free(Job& job, ipc::Block block);

 private:
  ipc::PayloadStore& store_;
  Scheduler& scheduler_;
};

}  // namespace ringmaster::master
