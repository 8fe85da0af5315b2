#include "master/system/freed_memory.h"

#include <algorithm>
#include <malloc.h>
#include <unistd.h>
#include <utility>

#include "master/system/process_memory.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kLookMs = 1000;
// To give back 240 MiB takes 40 to 80 ms. So it is done in steps, one in a turn of the loop.
constexpr size_t kStepBytes = 16 << 20;
constexpr uint64_t kStepMs = 20;
// A longer block has a mapping of its own, which is unmapped when it is freed. No higher value is
// allowed.
constexpr int kMappedBytes = 32 << 20;
// While long messages come and go, the bytes in use change by more between two looks.
constexpr size_t kLongBytes = 1 << 20;
// Giving back less is not worth the new page faults.
constexpr size_t kSpareBytes = 8 << 20;

}  // namespace

FreedMemory::FreedMemory(uv_loop_t* loop)
    : timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)),
      least_resident_(resident_bytes(::getpid())) {
  ::mallopt(M_MMAP_THRESHOLD, kMappedBytes);
  ::mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  look_in(kLookMs);
}

void FreedMemory::look_in(uint64_t ms) {
  uv_timer_start(
      timer_.get(), [](uv_timer_t* timer) { static_cast<FreedMemory*>(timer->data)->look(); }, ms,
      kLookMs);
}

void FreedMemory::look() {
  const uint64_t resident = resident_bytes(::getpid());
  least_resident_ = std::min(least_resident_, resident);
  if (resident - least_resident_ < kSpareBytes) return;
  const struct mallinfo2 heap = ::mallinfo2();  // walks all free blocks
  const size_t before = std::exchange(used_bytes_, heap.uordblks);
  const size_t changed = std::max(before, heap.uordblks) - std::min(before, heap.uordblks);
  returned_bytes_ = std::min(returned_bytes_, heap.fordblks);
  if (changed >= kLongBytes) return;
  least_resident_ = resident;
  if (heap.fordblks - returned_bytes_ < kSpareBytes) return;
  const size_t kept = heap.keepcost - std::min(heap.keepcost, kStepBytes);  // at the heap's end
  ::malloc_trim(kept);
  const size_t free_bytes = ::mallinfo2().fordblks;
  returned_bytes_ = free_bytes - std::min(kept, free_bytes);
  least_resident_ = kept >= kSpareBytes ? 0 : resident_bytes(::getpid());
  if (kept >= kSpareBytes) look_in(kStepMs);
}

}  // namespace ringmaster::master
