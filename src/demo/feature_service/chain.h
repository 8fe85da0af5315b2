// Chain: draws the pages of a built-in user from chain_table.h, one after the other.
//
// The same seed gives the same pages on every machine. Value type, no allocation.
#pragma once

#include <cstdint>

#include "demo/feature_service/random.h"

namespace ringmaster::feature_service {

class Chain {
 public:
  explicit Chain(uint64_t seed) : random_(seed, 1) {}

  // The number of pages of a session, 1..500. Draw it before any page, or not at all.
  uint32_t draw_length();

  // The category of the next page.
  uint8_t next();

 private:
  static constexpr uint8_t kNone = 0xff;

  Random random_;
  uint8_t last_ = kNone;
};

}  // namespace ringmaster::feature_service
