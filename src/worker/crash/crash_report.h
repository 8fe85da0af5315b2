// CrashReports: what a crashing worker says of its end, while it still can: which signal, at which
// address, and the way there. The fork server, which is healthy and maps the same code at the same
// addresses, turns it into text once the worker was reaped.
//
// Processes: create(), clear(), describe(): the fork server; report_to(): a worker.
// Death:     a report exists once its signal was stored; a worker that dies on the way there leaves
//            none. The signal's default action follows, with the same siginfo: status and core dump
//            are those of the crash.
// Memory:    one page per slot, shared by the fork server and that slot's worker only: a worker
//            that scribbles spoils its own report. Nothing is allocated and no lock is taken in the
//            signal handler: backtrace() has loaded what it needs before the first fork.
// Limits:    kFramesMax frames. Code that the worker has loaded itself has no names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"
#include "worker/crash/symbols.h"

namespace ringmaster::worker {

class CrashReports {
 public:
  static constexpr size_t kFramesMax = 32;

  CrashReports() = default;
  ~CrashReports();
  CrashReports(const CrashReports&) = delete;
  CrashReports& operator=(const CrashReports&) = delete;

  [[nodiscard]] Status create(uint32_t worker_slots);

  // Before a worker is forked into the slot.
  void clear(uint32_t slot);
  // In the worker: reports to its slot from now on. Signals for which somebody else (a sanitizer, a
  // handler's library) has a handler are left to them.
  [[nodiscard]] Status report_to(uint32_t slot);
  // What the worker that ended with `status` (as waitpid(2) gives it) has reported, as lines:
  // why ("SEGV_MAPERR at 0x8"), then the frames, innermost first. Empty: it has reported nothing.
  std::string describe(uint32_t slot, int status);

 private:
  std::span<std::byte> pages_;
  Symbols symbols_;  // kept: to read a large handler's table takes hundreds of milliseconds
};

}  // namespace ringmaster::worker
