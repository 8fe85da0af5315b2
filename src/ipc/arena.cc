#include "ipc/arena.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace ringmaster::ipc {

Arena::Arena(uint64_t capacity) : units_(capacity / kBlockBytesMin) {
  RM_ASSERT(!units_.empty() && units_.size() < kNone);
  free_heads_.assign(std::bit_width(units_.size()), kNone);
  // A capacity that is no power of two is a row of ever smaller blocks, each aligned to its size.
  uint32_t unit = 0;
  for (int order = static_cast<int>(free_heads_.size()) - 1; order >= 0; --order) {
    if ((units_.size() & uint64_t{1} << order) == 0) continue;
    push_free(unit, static_cast<uint8_t>(order));
    unit += 1u << order;
  }
}

std::optional<Block> Arena::allocate(uint64_t bytes) {
  const uint64_t wanted = (std::max<uint64_t>(bytes, 1) + kBlockBytesMin - 1) / kBlockBytesMin;
  if (wanted > units_.size()) return std::nullopt;
  const auto order = static_cast<uint8_t>(std::bit_width(wanted - 1));
  uint8_t found = order;
  while (found < free_heads_.size() && free_heads_[found] == kNone)
    ++found;
  if (found >= free_heads_.size()) return std::nullopt;

  const uint32_t unit = free_heads_[found];
  take_free(unit);
  while (found > order) {  // give the upper half back until it fits
    --found;
    push_free(unit + (1u << found), found);
  }
  units_[unit].order = order;
  units_[unit].use = Use::kTaken;
  const uint64_t size = kBlockBytesMin << order;
  used_bytes_ += size;
  return Block{unit * kBlockBytesMin, size};
}

void Arena::free(Block block) {
  auto unit = static_cast<uint32_t>(block.offset / kBlockBytesMin);
  RM_ASSERT(block.offset % kBlockBytesMin == 0 && unit < units_.size());
  RM_ASSERT(units_[unit].use == Use::kTaken && kBlockBytesMin << units_[unit].order == block.size);
  used_bytes_ -= block.size;
  units_[unit].use = Use::kInside;
  uint8_t order = units_[unit].order;
  for (; order + 1u < free_heads_.size(); ++order) {
    const uint32_t buddy = unit ^ (1u << order);
    if (buddy >= units_.size() || units_[buddy].use != Use::kFree || units_[buddy].order != order)
      break;
    take_free(buddy);
    unit = std::min(unit, buddy);
  }
  push_free(unit, order);
}

void Arena::push_free(uint32_t unit, uint8_t order) {
  const uint32_t head = free_heads_[order];
  units_[unit] = {head, kNone, order, Use::kFree};
  if (head != kNone) units_[head].previous = unit;
  free_heads_[order] = unit;
}

void Arena::take_free(uint32_t unit) {
  Unit& taken = units_[unit];
  if (taken.previous == kNone) {
    free_heads_[taken.order] = taken.next;
  } else {
    units_[taken.previous].next = taken.next;
  }
  if (taken.next != kNone) units_[taken.next].previous = taken.previous;
  taken.use = Use::kInside;
}

}  // namespace ringmaster::ipc
