// OverrunTimer: tells a handler that its jobs overrun, shortly before the master ends the worker.
//
// The handler writes its stack to the worker's stderr, which the master logs, and may stop by
// itself: then the worker lives on.
// Processes: a worker; one for each process.
// Signals:   SIGRTMAX, for the worker's thread only. It may come late, while another handler or
//            none runs: then it does nothing.
// Cost:      one system call for each run of a handler with interrupt(), and one more each time
//            that it answers the job of its batch with the earliest deadline. One system call to
//            disarm the timer if a handler without interrupt() runs next.
#pragma once

#include <cstdint>
#include <ctime>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "worker/handler.h"

namespace ringmaster::worker {

class OverrunTimer {
 public:
  // Creates the timer if one of the handlers has an interrupt().
  [[nodiscard]] Status create(const std::vector<Handler>& handlers);

  // Call before this handler runs jobs, and again when it has answered the one with the earliest
  // deadline. At `ends_ns` the master ends the worker for the first unanswered job.
  void set(const Handler& handler, uint64_t now_ns, uint64_t ends_ns);

  // How long before `ends_ns` the handler is told: an eighth of the time that is left when set() is
  // called, but at most this.
  static constexpr uint64_t kAheadNsMax = 50 * kNsPerMs;

 private:
  void arm(uint64_t at_ns);

  timer_t timer_ = {};
  bool is_armed_ = false;
};

}  // namespace ringmaster::worker
