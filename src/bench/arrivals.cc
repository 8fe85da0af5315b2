#include "bench/arrivals.h"

#include <cmath>

#include "base/clock.h"

namespace ringmaster::bench {

uint64_t Arrivals::next_ns() {
  // Not std::exponential_distribution: its numbers depend on the library.
  constexpr double kTwoTo53 = 9007199254740992.0;
  const double uniform = (static_cast<double>(random_() >> 11) + 0.5) / kTwoTo53;
  at_s_ += kind_ == Kind::kPoisson ? -std::log(uniform) / rate_ : 1 / rate_;
  return static_cast<uint64_t>(at_s_ * static_cast<double>(kNsPerS));
}

}  // namespace ringmaster::bench
