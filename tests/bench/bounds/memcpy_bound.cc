// memcpy_bound: how long two copies of a request's bytes take, in seconds per GB (10^9 bytes).
//
// No server takes less for an echo that is read into a buffer, kept where a worker sees it, and
// written from there: the kernel copies the bytes once at each socket. So the bound is compared
// with the time per byte of a server that does nothing else.
//
// A block goes from its source to a middle buffer and from there to its destination. Four such
// paths take turns, as do the requests of a server: with one path alone, a block would still be in
// the fastest cache from its last turn, unlike bytes that a client has just sent. All pages were
// touched before, as a running server's are.
//
// Prints {"bound":"memcpy","paths":4,"sizes":[{"bytes":1024,"s_per_gb":...},...]}: the median of
// several repeats.
#include <cstdio>
#include <cstring>
#include <vector>

#include "../measure.h"

namespace {

using Buffer = std::vector<char>;

constexpr size_t kPaths = 4;
constexpr size_t kRepeats = 7;
constexpr uint64_t kAtLeastNs = 20'000'000;

struct Path {
  explicit Path(size_t bytes) : source(bytes, 'a'), middle(bytes, 'b'), destination(bytes, 'c') {}
  void go() {
    std::memcpy(middle.data(), source.data(), source.size());
    ringmaster::bench::keep();
    std::memcpy(destination.data(), middle.data(), middle.size());
    ringmaster::bench::keep();
  }
  Buffer source;
  Buffer middle;
  Buffer destination;
};

double s_per_gb(size_t bytes) {
  std::vector<Path> paths(kPaths, Path(bytes));
  std::vector<double> repeats;
  while (repeats.size() < kRepeats) {
    repeats.push_back(
        ringmaster::bench::ns_per_call(kPaths, kAtLeastNs, [&](size_t i) { paths[i].go(); }) /
        static_cast<double>(bytes));
  }
  return ringmaster::bench::median_of(repeats);  // ns a byte are seconds a GB
}

}  // namespace

int main() {
  std::printf("{\"bound\":\"memcpy\",\"paths\":%zu,\"sizes\":[", kPaths);
  for (size_t bytes = 1 << 10; bytes <= 16 << 20; bytes *= 4) {
    std::printf("%s{\"bytes\":%zu,\"s_per_gb\":%.4f}", bytes == 1 << 10 ? "" : ",", bytes,
                s_per_gb(bytes));
  }
  std::printf("]}\n");
  return 0;
}
