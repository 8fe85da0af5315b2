// Arrivals: the intended start of each request of an open loop.
//
// The times depend on the options only. So two servers get the same load, and a bound can be
// computed for that load.
#pragma once

#include <cstdint>
#include <random>

namespace ringmaster::bench {

class Arrivals {
 public:
  enum class Kind { kPoisson, kConstant };

  // `rate`: arrivals a second, more than 0.
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
