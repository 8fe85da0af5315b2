// Chain: the pages of a built-in user, one after the other, drawn from chain_table.h.
//
// The same seed gives the same pages on every machine. Value type, no allocation.
#pragma once

#include <cstdint>

#include "demo/feature_service/random.h"

namespace ringmaster::feature_service {

class Chain {
 public:
  explicit Chain(uint64_t seed) : random_(seed, 1) {}

  // How many pages a session has, 1..500: to be drawn first, if at all.
  uint32_t draw_length();

  // The category of the next page.
  uint8_t next();

 private:
  static constexpr uint8_t kNone = 0xff;

  Random random_;
  uint8_t last_ = kNone;
};

}  // namespace ringmaster::feature_service
