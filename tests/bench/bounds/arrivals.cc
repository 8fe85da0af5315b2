// arrivals RATE SEED SECONDS: the starts of the requests that `ringmaster bench --rate RATE --seed
// SEED` sends in that time, in nanoseconds after the beginning of its warm-up.
//
// Prints {"arrivals_ns":[...]}. Uses the code of the load, so that a bound is for the same load.
#include "bench/arrivals.h"

#include <cstdio>
#include <cstdlib>

#include "base/clock.h"

int main(int argc, char** argv) {
  using ringmaster::bench::Arrivals;
  const double rate = argc == 4 ? std::strtod(argv[1], nullptr) : 0;
  const double seconds = argc == 4 ? std::strtod(argv[3], nullptr) : 0;
  if (!(rate > 0) || !(seconds > 0)) {
    std::fprintf(stderr, "usage: arrivals RATE SEED SECONDS, RATE and SECONDS more than 0\n");
    return 64;
  }
  Arrivals arrivals(Arrivals::Kind::kPoisson, rate, std::strtoull(argv[2], nullptr, 10));
  const auto end_ns = static_cast<uint64_t>(seconds * static_cast<double>(ringmaster::kNsPerS));
  std::printf("{\"arrivals_ns\":[");
  const char* separator = "";
  for (uint64_t at = arrivals.next_ns(); at < end_ns; at = arrivals.next_ns()) {
    std::printf("%s%lu", separator, at);
    separator = ",";
  }
  std::printf("]}\n");
  return 0;
}
