// CrashReports: the stack of a worker when it crashed, or when the fork server asked for it.
//
// A crashing worker writes a report: the signal, its address, the backtrace, and the stack of the
// handler's own language, if the handler writes one. The fork server maps the same code at the same
// addresses, so it can turn the report into text. It reads a crashed worker's report once it has
// reaped the worker.
//
// Processes: create(), clear(), describe(): the fork server; report_to(): a worker.
// Death:     a report exists once its signal was stored; a worker that dies before leaves none.
//            After the report the signal's default action follows, with the same siginfo. So exit
//            status and core dump are those of the crash.
// Memory:    one page per slot, shared by the fork server and that slot's worker only: a worker can
//            damage its own report only. (Until report_to() a process has all pages.) The signal
//            handler allocates nothing and takes no lock: backtrace() has loaded its library before
//            the first fork. If WriteStack crashes, the report may be lost.
// Limits:    kFramesMax frames, kStackBytesMax bytes of the handler's stack. No names for code that
//            the worker has loaded itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>

#include "base/status.h"
#include "worker/crash/symbols.h"

namespace ringmaster::worker {

class CrashReports {
 public:
  static constexpr size_t kFramesMax = 32;
  static constexpr size_t kStackBytesMax = 3 << 10;

  // Writes the stack of the handler's own language, as text, to fd. Called in the signal handler.
  using WriteStack = void (*)(int fd);

  CrashReports() = default;
  ~CrashReports();
  CrashReports(const CrashReports&) = delete;
  CrashReports& operator=(const CrashReports&) = delete;

  [[nodiscard]] Status create(uint32_t worker_slots);

  // Call before a worker gets the slot.
  void clear(uint32_t slot);
  // In the worker: sets the signal handlers, but not for signals that already have one (of a
  // sanitizer, or of a handler's library).
  [[nodiscard]] Status report_to(uint32_t slot, WriteStack write_stack);
  // In a worker, for code that may read unmapped memory: calls `call`, and returns false if a fault
  // ended the call. The effects of the call until then stay. Where SIGSEGV is not ours (see
  // report_to()), returns false and calls nothing. Async-signal-safe.
  static bool try_call(void (*call)());

  // The report of the worker that ended with `status` (of waitpid(2)), as lines: the reason
  // ("SEGV_MAPERR at 0x8"), then the frames, innermost first, then an empty line and the handler's
  // stack. Empty: there is no report.
  std::string describe(uint32_t slot, int status);

  Symbols& symbols() { return symbols_; }
  // In the fork server: asks a living worker that has called report_to() to write its stack, and
  // does not wait. try_take_stack(): the stack, as lines of describe(), without the reason; none:
  // it is not written yet. A worker may never write it: one that was stopped, or whose handler
  // blocks the signal. The stack has no frames if the walk has met a fault, or if a fault could not
  // be caught: see try_call().
  void ask_stack(uint32_t slot, pid_t worker);
  std::optional<std::string> try_take_stack(uint32_t slot);
  // The signal that asks: SIGRTMAX - 2.
  static int signal_to_ask();

 private:
  std::string describe_stack(uint32_t slot);

  std::span<std::byte> pages_;
  Symbols symbols_;  // kept: to read a large handler's table takes hundreds of milliseconds
};

}  // namespace ringmaster::worker
