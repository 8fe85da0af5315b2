// Arena: gives out blocks of the payload region. A buddy allocator: blocks are powers of two, and a
// freed block joins its free neighbour, so that nothing fragments for good.
//
// Processes: the master only; workers see the blocks through job headers.
// Memory:    all of its state is private to the master. Nothing that a worker writes (it cannot:
//            its mapping is read-only) or that a dying process leaves could damage it.
// Cost:      no system call and no allocation after construction; O(log capacity) a call.
// Limits:    blocks of kBlockBytesMin up to the largest power of two that fits the capacity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace ringmaster::ipc {

struct Block {
  uint64_t offset = 0;
  uint64_t size = 0;  // usable bytes: at least what was asked for. 0: no block
};

class Arena {
 public:
  static constexpr uint64_t kBlockBytesMin = 1024;

  // Manages [0, capacity) of a region; capacity is rounded down to whole minimal blocks.
  explicit Arena(uint64_t capacity);

  // Empty: no free block is large enough.
  std::optional<Block> allocate(uint64_t bytes);
  // The block must be one that allocate() returned, and not freed since.
  void free(Block block);

  uint64_t used_bytes() const { return used_bytes_; }

 private:
  static constexpr uint32_t kNone = ~0u;
  enum class Use : uint8_t { kInside, kFree, kTaken };  // kInside: no block starts here
  struct Unit {                                         // of kBlockBytesMin bytes
    uint32_t next = kNone;
    uint32_t previous = kNone;
    uint8_t order = 0;
    Use use = Use::kInside;
  };

  void push_free(uint32_t unit, uint8_t order);
  void take_free(uint32_t unit);

  std::vector<Unit> units_;
  std::vector<uint32_t> free_heads_;  // by order: blocks of 2^order units
  uint64_t used_bytes_ = 0;
};

}  // namespace ringmaster::ipc
