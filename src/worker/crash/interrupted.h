// interrupted_at(): the instruction that a signal has interrupted, for the signal's handler.
#pragma once

#include <cstdint>
#include <ucontext.h>

namespace ringmaster::worker {

// `context`: the third argument of a handler with SA_SIGINFO.
inline uintptr_t interrupted_at(const void* context) {
  const auto& its = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<uintptr_t>(its.gregs[REG_RIP]);
#else
  return static_cast<uintptr_t>(its.pc);
#endif
}

}  // namespace ringmaster::worker
