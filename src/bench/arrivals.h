// Arrivals: when each request of an open loop is meant to start.
//
// The times depend on the options alone, so that two servers can be asked at the same times, and a
// bound can be computed for them.
#pragma once

#include <cstdint>
#include <random>

namespace ringmaster::bench {

class Arrivals {
 public:
  enum class Kind { kPoisson, kConstant };

  // `rate` a second, more than 0.
  Arrivals(Kind kind, double rate, uint64_t seed) : kind_(kind), rate_(rate), random_(seed) {}

  // The next start, in nanoseconds after the beginning.
  uint64_t next_ns();

 private:
  Kind kind_;
  double rate_;
  std::mt19937_64 random_;
  double at_s_ = 0;
};

}  // namespace ringmaster::bench
