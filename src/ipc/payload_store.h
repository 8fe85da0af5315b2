// PayloadStore: the master's side of the payload memory: a header per job slot, and blocks for
// params and bodies.
//
// Processes: the master only. The store outlives generations: a job can go to the next one.
//            Workers map the same memory read-only: see worker_port.h.
// Memory:    the master frees a block once no worker can be reading it.
// Limits:    payload_memory_bytes in all, rounded down to whole units of the arena.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/fd.h"
#include "ipc/arena.h"
#include "ipc/layout.h"
#include "ipc/region.h"

namespace ringmaster::ipc {

class PayloadStore {
 public:
  [[nodiscard]] static Result<PayloadStore> create(const Geometry& geometry);

  int memory_fd() const { return memory_.get(); }
  JobHeader& header(uint32_t job) const;

  // The size of a block that `bytes` bytes can be written to: these and kReadablePadding, rounded
  // up to whole units.
  static constexpr uint64_t block_bytes(uint64_t bytes) {
    return Arena::block_bytes(bytes + kReadablePadding);
  }

  // A block that `bytes` bytes can be written to. Empty: the arena has no place.
  std::optional<Block> allocate(uint64_t bytes);
  // A block with these bytes in it.
  std::optional<Block> store(std::string_view bytes);
  void free(Block block) { arena_.free(block); }

  // The bytes of a block that may be written: its size less the padding.
  std::span<char> writable(Block block) const;
  // The view with which a worker finds `size` bytes of the block.
  View view(Block block, uint64_t size) const { return {blocks_offset_ + block.offset, size}; }

  uint64_t capacity_bytes() const { return capacity_bytes_; }
  uint64_t used_bytes() const { return arena_.used_bytes(); }

 private:
  PayloadStore(Fd memory, Region region, const Geometry& geometry);

  Fd memory_;
  Region region_;
  uint64_t blocks_offset_;
  uint64_t capacity_bytes_;
  Arena arena_;
};

}  // namespace ringmaster::ipc
