#include "master/system/freed_memory.h"

#include <algorithm>
#include <malloc.h>
#include <utility>

namespace ringmaster::master {
namespace {

constexpr uint64_t kLookMs = 1000;
// Longer blocks are mapped and unmapped each. No higher value is allowed.
constexpr int kMappedBytes = 32 << 20;
// While long messages come and go, the bytes in use change by more between two looks.
constexpr size_t kLongBytes = 1 << 20;
// Giving back less is not worth the new page faults.
constexpr size_t kSpareBytes = 8 << 20;

}  // namespace

FreedMemory::FreedMemory(uv_loop_t* loop)
    : timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {
  ::mallopt(M_MMAP_THRESHOLD, kMappedBytes);
  ::mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  uv_timer_start(
      timer_.get(), [](uv_timer_t* timer) { static_cast<FreedMemory*>(timer->data)->look(); },
      kLookMs, kLookMs);
}

void FreedMemory::look() {
  const struct mallinfo2 heap = ::mallinfo2();
  const size_t before = std::exchange(used_bytes_, heap.uordblks);
  const size_t changed = std::max(before, heap.uordblks) - std::min(before, heap.uordblks);
  returned_bytes_ = std::min(returned_bytes_, heap.fordblks);
  if (changed >= kLongBytes || heap.fordblks - returned_bytes_ < kSpareBytes) return;
  ::malloc_trim(0);
  returned_bytes_ = ::mallinfo2().fordblks;
}

}  // namespace ringmaster::master
