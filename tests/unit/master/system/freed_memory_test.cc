#include "master/system/freed_memory.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <malloc.h>
#include <memory>
#include <poll.h>
#include <utility>
#include <vector>

#include "loop_support.h"
#include "master/system/process_memory.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kUsedMiB = 96;

uint64_t resident() {
  return resident_bytes(::getpid());
}

using Blocks = std::vector<std::unique_ptr<char[]>>;

// Takes so many MiB, and writes to each.
void take(Blocks& blocks, uint64_t mebibytes) {
  for (uint64_t i = 0; i < mebibytes; ++i)
    blocks.push_back(std::make_unique<char[]>(kMiB));
}

// Takes kUsedMiB and frees them: they are then at the heap's end.
void use_memory() {
  Blocks blocks;
  blocks.reserve(kUsedMiB);  // first: no small block may lie between the large ones
  take(blocks, kUsedMiB);
}

// Runs FreedMemory's timer, the only handle of the loop, once. (UV_RUN_ONCE would run a timer that
// is late twice.)
void look(uv_loop_t* loop) {
  uv_update_time(loop);
  ::poll(nullptr, 0, uv_backend_timeout(loop));
  uv_run(loop, UV_RUN_NOWAIT);
}

// Both return 0, or the number of the expectation that was not met.
int give_back_in_steps() {
  test::Loop loop;
  FreedMemory freed(loop.get());
  ::malloc_trim(0);  // what the tests before have freed is in the copy of this process
  const uint64_t before = resident();
  use_memory();
  uint64_t now = resident();
  if (now < before + (kUsedMiB - 8) * kMiB) return 1;  // kept for the next long messages
  uint64_t longest_step = 0;
  while (now > before + 24 * kMiB) {  // ends by the child's alarm
    look(loop.get());
    const uint64_t last = std::exchange(now, resident());
    longest_step = std::max(longest_step, last - std::min(last, now));
  }
  return longest_step <= 24 * kMiB ? 0 : 2;
}

int keep_while_memory_in_use_changes() {
  test::Loop loop;
  FreedMemory freed(loop.get());
  use_memory();
  const uint64_t before = resident();
  Blocks held;
  held.reserve(kUsedMiB);
  for (int looks = 0; looks < 3; ++looks) {
    take(held, 4);
    look(loop.get());
    if (resident() < before - 8 * kMiB) return 1;
  }
  return 0;
}

}  // namespace

// Sanitizers have allocators of their own, which keep freed memory as they like. Each part runs in
// a process of its own: the thresholds are the process's. The processes run at once, for some three
// seconds.
TEST_CASE("freed memory: it is given back in steps, once the memory in use does not change" *
          doctest::skip(test::kIsSanitized)) {
  test::Child at_rest(give_back_in_steps);
  test::Child busy(keep_while_memory_in_use_changes);
  CHECK(at_rest.exit_code() == 0);
  CHECK(busy.exit_code() == 0);
}

}  // namespace ringmaster::master
