// futex_ping_pong [ROUNDS]: the round trip between two processes that wake each other by a futex
// word in shared memory, and do nothing else.
//
// No server can hand a job to a sleeping worker, and be woken by its result, in less time. So the
// time of a request to an idle server is compared with this time, in the same run. As in a server,
// both sides sleep in between, and neither is bound to a core.
//
// Prints {"bound":"futex_ping_pong","rounds":N,"p50_ns":...,"p99_ns":...,"mean_ns":...}, after a
// warm-up of a tenth of the rounds. Both processes end after at most 60 s, the second with the
// first.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <linux/futex.h>
#include <new>
#include <numeric>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "base/clock.h"

namespace {

constexpr unsigned kSecondsMax = 60;
constexpr uint32_t kRoundsDefault = 20'000;

// A number that one process counts up and the other waits for.
class Word {
 public:
  void set(uint32_t number) {
    word_.store(number, std::memory_order_release);
    ::syscall(SYS_futex, &word_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
  void wait_for(uint32_t number) {
    while (word_.load(std::memory_order_acquire) != number) {
      ::syscall(SYS_futex, &word_, FUTEX_WAIT, number - 1, nullptr, nullptr, 0);
    }
  }

 private:
  alignas(64) std::atomic<uint32_t> word_{0};
};

struct Shared {
  Word ping;
  Word pong;
};

// A percentile of sorted times, by the nearest rank.
uint64_t percentile(const std::vector<uint64_t>& times, size_t percent) {
  return times[(times.size() * percent + 99) / 100 - 1];
}

[[noreturn]] void answer(Shared& shared, uint32_t rounds, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(kSecondsMax);
  if (::getppid() != parent) ::_exit(70);
  for (uint32_t round = 1; round <= rounds; ++round) {
    shared.ping.wait_for(round);
    shared.pong.set(round);
  }
  ::_exit(0);
}

std::vector<uint64_t> ask(Shared& shared, uint32_t rounds, uint32_t warm_up) {
  std::vector<uint64_t> times;
  times.reserve(rounds);
  for (uint32_t round = 1; round <= rounds; ++round) {
    const uint64_t begin_ns = ringmaster::now_ns();
    shared.ping.set(round);
    shared.pong.wait_for(round);
    if (round > warm_up) times.push_back(ringmaster::now_ns() - begin_ns);
  }
  return times;
}

}  // namespace

int main(int argc, char** argv) {
  const long wanted = argc == 2 ? std::strtol(argv[1], nullptr, 10) : kRoundsDefault;
  if (argc > 2 || wanted < 1 || wanted > 1'000'000) {
    std::fprintf(stderr, "usage: futex_ping_pong [ROUNDS], 1 to 1000000\n");
    return 64;
  }
  const auto rounds = static_cast<uint32_t>(wanted);
  const uint32_t warm_up = rounds / 10;
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 71;
  auto& shared = *new (memory) Shared;
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return 71;
  if (child == 0) answer(shared, rounds + warm_up, parent);
  ::alarm(kSecondsMax);
  std::vector<uint64_t> times = ask(shared, rounds + warm_up, warm_up);
  int status = 0;
  if (::waitpid(child, &status, 0) != child || status != 0) return 70;
  std::ranges::sort(times);
  const double sum = std::accumulate(times.begin(), times.end(), 0.0);
  std::printf(
      "{\"bound\":\"futex_ping_pong\",\"rounds\":%u,\"p50_ns\":%lu,\"p99_ns\":%lu,"
      "\"mean_ns\":%.0f}\n",
      rounds, percentile(times, 50), percentile(times, 99), sum / rounds);
  return 0;
}
