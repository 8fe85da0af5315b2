// Random: SplitMix64 (Steele, Lea, Flood 2014): our own generator, because the numbers of std::
// distributions differ between libraries, and user 42 must be the same everywhere.
#pragma once

#include <cstdint>

namespace ringmaster::feature_service {

class Random {
 public:
  // Different streams of one seed are independent of each other.
  explicit Random(uint64_t seed, uint64_t stream = 0) : state_(mix(seed) + mix(~stream)) {}

  uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15); }

  // 0 .. limit-1; the bias is below limit / 2^32.
  uint32_t below(uint32_t limit) {
    return static_cast<uint32_t>(((next() >> 32) * uint64_t{limit}) >> 32);
  }

  // At least 0 and less than 1, in steps of 2^-53.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  uint64_t state_;
};

}  // namespace ringmaster::feature_service
