#include "ipc/arena.h"

#include <limits>

#include <boost/interprocess/anonymous_shared_memory.hpp>

#include "base/assert.h"

namespace ringmaster::ipc {
namespace {

uint32_t unit_count(uint64_t capacity) {
  const uint64_t units = capacity / Arena::kUnitBytes;
  RM_ASSERT(units > 0 && units <= std::numeric_limits<uint32_t>::max() / 2);
  return static_cast<uint32_t>(units);
}

}  // namespace

Arena::Arena(uint64_t capacity)
    : lengths_memory_(
          boost::interprocess::anonymous_shared_memory(unit_count(capacity) * sizeof(uint32_t))),
      lengths_(static_cast<uint32_t*>(lengths_memory_.get_address()), unit_count(capacity)),
      free_units_(unit_count(capacity)) {}

std::optional<uint32_t> Arena::find_place(uint32_t units) const {
  const auto all = static_cast<uint32_t>(lengths_.size());
  if (units > all / 64) return free_units_.highest(units);
  const std::optional<uint32_t> place = free_units_.lowest(units);
  return place && *place + units <= all - all / 4 ? place : std::nullopt;
}

std::optional<Block> Arena::allocate(uint64_t bytes) {
  if (bytes > lengths_.size() * kUnitBytes) return std::nullopt;
  const uint64_t size = block_bytes(bytes);
  const auto units = static_cast<uint32_t>(size / kUnitBytes);
  const std::optional<uint32_t> unit = find_place(units);
  if (!unit) return std::nullopt;
  free_units_.take(*unit, units);
  lengths_[*unit] = units;
  used_bytes_ += size;
  return Block{*unit * kUnitBytes, size};
}

void Arena::free(Block block) {
  const uint64_t unit = block.offset / kUnitBytes;
  RM_ASSERT(block.size > 0 && block.offset % kUnitBytes == 0 && unit < lengths_.size());
  RM_ASSERT(lengths_[unit] * kUnitBytes == block.size);
  free_units_.give_back(static_cast<uint32_t>(unit), lengths_[unit]);
  lengths_[unit] = 0;
  used_bytes_ -= block.size;
}

}  // namespace ringmaster::ipc
