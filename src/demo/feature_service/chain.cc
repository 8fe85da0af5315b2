#include "demo/feature_service/chain.h"

#include <numeric>

#include "base/assert.h"
#include "demo/feature_service/chain_table.h"

namespace ringmaster::feature_service {
namespace {

constexpr bool sums_are_right() {
  uint32_t lengths = 0;
  for (const LengthRange& range : kLengths) {
    lengths += range.share;
  }
  for (const auto& row : kNext) {
    if (std::accumulate(row, row + kCategoryCount, 0u) != kRowSum) return false;
  }
  return lengths == kLengthSum && std::accumulate(kFirst, kFirst + kCategoryCount, 0u) == kRowSum;
}
static_assert(sums_are_right());

}  // namespace

uint32_t Chain::draw_length() {
  uint32_t left = random_.below(kLengthSum);
  uint32_t shorter = 0;
  for (const LengthRange& range : kLengths) {
    if (left < range.share) return shorter + 1 + random_.below(range.pages_max - shorter);
    left -= range.share;
    shorter = range.pages_max;
  }
  RM_ASSERT(false && "the shares sum to kLengthSum");
}

uint8_t Chain::next() {
  const uint16_t* row = last_ == kNone ? kFirst : kNext[last_];
  uint32_t left = random_.below(kRowSum);
  last_ = 0;
  while (left >= row[last_]) {
    left -= row[last_++];
  }
  return last_;
}

}  // namespace ringmaster::feature_service
