// FreedMemory: keeps the memory that the master has freed, for its next long messages. Gives it
// back to the system once no long messages come.
//
// Why:    a new page costs a page fault: 0.3 us on a bare machine, 25 us on some virtual ones. An
//         echo of 1 MiB had 174 of them.
// Memory: at most kKeptBytes of free memory lie at the heap's end. If about as many bytes are in
//         use as a second before, and 8 MiB or more are free, all free memory is given back: that
//         of the heap's end in steps of some MiB, one in a turn of the loop.
// Limits: the free blocks between blocks in use are given back in one turn, since glibc has no call
//         for a part of them. On a virtual machine 200 MB of them took 0.08 s in blocks of 512 KiB,
//         and 0.9 to 1.7 s in blocks of 8 to 64 KiB.
// Source: mallopt(3), malloc_trim(3), mallinfo2(3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <uv.h>

#include "base/uv_handle.h"

namespace ringmaster::master {

class FreedMemory {
 public:
  static constexpr int kKeptBytes = 256 << 20;

  // Sets the process's thresholds. There is one object at a time.
  explicit FreedMemory(uv_loop_t* loop);

 private:
  void look_in(uint64_t ms);
  void look();

  UvHandle<uv_timer_t> timer_;
  size_t used_bytes_ = 0;      // at the last look
  uint64_t least_resident_;    // since all free memory was given back
  size_t returned_bytes_ = 0;  // free bytes that were given back already
};

}  // namespace ringmaster::master
