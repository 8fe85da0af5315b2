// Arena: allocates blocks of the payload region, rounded up to whole units of kUnitBytes. A block
// fits wherever enough units are free side by side.
//
// Small blocks, of up to 1/64 of the capacity, take the lowest place where they fit, and never one
// in the upper quarter. Larger blocks take the highest place. So:
//   Guarantee: a block of up to a quarter of the capacity fits while no other large block lies in
//   the upper quarter, however many small blocks there are, and wherever they lie.
//
// Processes: the master only; workers see the blocks through job headers.
// Memory:    all of its state is private to the master, so no worker can damage it.
// Cost:      no system call and no allocation after construction; see FreeUnits.
// Limits:    the longest block is the whole capacity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <boost/interprocess/mapped_region.hpp>

#include "ipc/free_units.h"

namespace ringmaster::ipc {

struct Block {
  uint64_t offset = 0;
  uint64_t size = 0;  // usable bytes, at least those requested. 0: no block
};

class Arena {
 public:
  static constexpr uint64_t kUnitBytes = 1024;

  // The size of a block for `bytes` bytes: whole units, at least one.
  static constexpr uint64_t block_bytes(uint64_t bytes) {
    return bytes == 0 ? kUnitBytes : (bytes - 1) / kUnitBytes * kUnitBytes + kUnitBytes;
  }

  // Manages [0, capacity) of a region; capacity is rounded down to whole units. Throws where the
  // system has no memory for the lengths.
  explicit Arena(uint64_t capacity);

  // Empty: no place is large enough.
  std::optional<Block> allocate(uint64_t bytes);
  // REQUIRES: allocate() returned the block, and it was not freed since.
  void free(Block block);

  uint64_t used_bytes() const { return used_bytes_; }

 private:
  std::optional<uint32_t> find_place(uint32_t units) const;

  // For each unit, the length in units of the block that begins there; 0: no block does. The system
  // zeroes a page when it is first used: filling all pages with zeros here would hold the event
  // loop for milliseconds at each reload.
  boost::interprocess::mapped_region lengths_memory_;
  std::span<uint32_t> lengths_;
  FreeUnits free_units_;
  uint64_t used_bytes_ = 0;
};

}  // namespace ringmaster::ipc
