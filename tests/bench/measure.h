// How long a call takes, for the programs of this folder: each prints one JSON object.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace ringmaster::bench {

// Nanoseconds per call(i), i from 0 to `round` - 1: the mean of rounds that take `at_least_ns`
// together, after one round that is not counted.
template <class Call>
double ns_per_call(size_t round, uint64_t at_least_ns, Call call) {
  for (size_t i = 0; i < round; ++i)
    call(i);
  const uint64_t begin_ns = now_ns();
  uint64_t taken_ns = 0;
  size_t calls = 0;
  while (taken_ns < at_least_ns) {
    for (size_t i = 0; i < round; ++i)
      call(i);
    calls += round;
    taken_ns = now_ns() - begin_ns;
  }
  return static_cast<double>(taken_ns) / static_cast<double>(calls);
}

// The middle value. REQUIRES: `values` is not empty.
inline double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Makes the compiler believe that all memory is read here, so that nothing measured is left out.
inline void keep() {
  asm volatile("" ::: "memory");
}

}  // namespace ringmaster::bench
