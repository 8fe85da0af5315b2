// Breakpoint: an int3 in the code of a traced and stopped child, in the child's own copy.
//
// Debug registers would need no write, but some hypervisors accept them and never report a hit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>

namespace ringmaster::test {

#if defined(__x86_64__)

// The address of the instruction that the child executes next.
inline uint64_t next_instruction(pid_t child) {
  return static_cast<uint64_t>(::ptrace(PTRACE_PEEKUSER, child, offsetof(user, regs.rip), nullptr));
}

class Breakpoint {
 public:
  Breakpoint(pid_t child, uint64_t address)
      : child_(child),
        address_(address),
        original_(::ptrace(PTRACE_PEEKTEXT, child, word(), nullptr)),
        is_planted_(write((original_ & ~(0xffL << shift())) | (kInt3 << shift()))) {}

  bool is_planted() const { return is_planted_; }

  // Call after the child has stopped: removes the breakpoint, and makes its instruction the child's
  // next one. False: the child stopped for another reason.
  bool remove_hit() const {
    return next_instruction(child_) == address_ + 1 && write(original_) &&
           ::ptrace(PTRACE_POKEUSER, child_, offsetof(user, regs.rip), address_) == 0;
  }

 private:
  static constexpr long kInt3 = 0xcc;

  uint64_t word() const { return address_ & ~uint64_t{7}; }  // aligned, so it lies in one page
  uint64_t shift() const { return 8 * (address_ & 7); }
  bool write(long bytes) const { return ::ptrace(PTRACE_POKETEXT, child_, word(), bytes) == 0; }

  pid_t child_;
  uint64_t address_;
  long original_;
  bool is_planted_;
};

#else  // other architectures have another breakpoint instruction

inline uint64_t next_instruction(pid_t) {
  return 0;
}

class Breakpoint {
 public:
  Breakpoint(pid_t, uint64_t) {}
  bool is_planted() const { return false; }
  bool remove_hit() const { return false; }
};

#endif

}  // namespace ringmaster::test
