#include "ipc/payload_store.h"

#include <cstring>
#include <utility>

#include "base/assert.h"

namespace ringmaster::ipc {

Result<PayloadStore> PayloadStore::create(const Geometry& geometry) {
  const size_t bytes = geometry.payload_region_bytes();
  Result<Fd> memory = create_memory("ringmaster-payload", bytes);
  if (!memory) return tl::unexpected(memory.error());
  Result<Region> region = Region::map(memory->get(), Access::kReadWrite, 0, bytes);
  if (!region) return tl::unexpected(region.error());
  return PayloadStore(std::move(*memory), std::move(*region), geometry);
}

PayloadStore::PayloadStore(Fd memory, Region region, const Geometry& geometry)
    : memory_(std::move(memory)),
      region_(std::move(region)),
      blocks_offset_(geometry.blocks_offset()),
      capacity_bytes_(geometry.payload_bytes),
      arena_(geometry.payload_bytes) {}

JobHeader& PayloadStore::header(uint32_t job) const {
  RM_ASSERT(job < blocks_offset_ / sizeof(JobHeader));
  return reinterpret_cast<JobHeader*>(region_.data())[job];
}

std::optional<Block> PayloadStore::allocate(uint64_t bytes) {
  return arena_.allocate(bytes + kReadablePadding);
}

std::optional<Block> PayloadStore::store(std::string_view bytes) {
  const std::optional<Block> block = allocate(bytes.size());
  if (block) std::memcpy(writable(*block).data(), bytes.data(), bytes.size());
  return block;
}

std::span<char> PayloadStore::writable(Block block) const {
  char* data = reinterpret_cast<char*>(region_.data() + blocks_offset_ + block.offset);
  return {data, block.size - kReadablePadding};
}

}  // namespace ringmaster::ipc
