#include "master/pipeline/job_memory.h"

#include <algorithm>

namespace ringmaster::master {

tl::expected<ipc::Block, JobMemory::Refusal> JobMemory::allocate(Job& job, uint64_t bytes) {
  const uint64_t all = store_.capacity_bytes();
  const uint64_t used = store_.used_bytes() + ipc::PayloadStore::block_bytes(bytes);
  if (const auto part = scheduler_.refuse_memory(job.entry, all - std::min(all, used), all))
    return tl::unexpected(Refusal{part});
  const std::optional<ipc::Block> block = store_.allocate(bytes);
  if (!block) return tl::unexpected(Refusal{});
  scheduler_.on_memory(job.entry, static_cast<int64_t>(block->size));
  return *block;
}

void JobMemory::free(Job& job, ipc::Block block) {
  scheduler_.on_memory(job.entry, -static_cast<int64_t>(block.size));
  store_.free(block);
}

}  // namespace ringmaster::master
