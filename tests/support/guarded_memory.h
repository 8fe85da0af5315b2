// GuardedMemory: zeroed pages between two inaccessible ones. A read or write beyond the pages ends
// the test program at once, in every build.
#pragma once

#include <cstddef>
#include <span>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"

namespace ringmaster::test {

class GuardedMemory {
 public:
  // `size` is a multiple of the page size.
  explicit GuardedMemory(size_t size) : size_(size) {
    void* mapped =
        ::mmap(nullptr, size_ + 2 * page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    RM_ASSERT(mapped != MAP_FAILED && size % page() == 0);
    start_ = static_cast<std::byte*>(mapped);
    RM_ASSERT(::mprotect(start_ + page(), size_, PROT_READ | PROT_WRITE) == 0);
  }
  ~GuardedMemory() { ::munmap(start_, size_ + 2 * page()); }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  std::span<std::byte> bytes() const { return {start_ + page(), size_}; }

 private:
  static size_t page() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }

  size_t size_;
  std::byte* start_;
};

}  // namespace ringmaster::test
