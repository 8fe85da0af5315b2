// LowPriority: for as long as the object lives, this process runs only when no other process wants
// to (SCHED_IDLE), and has nice 10 should another process end that.
//
// Processes: the fork server while it loads handlers for a reload, so that the workers that serve
//            meanwhile keep their CPU time. Nice 10 alone would not do: since Linux 6.6 a process
//            may end its time slice, of up to 3 ms, before a worker that wakes up runs. And
//            without idle time SCHED_IDLE alone would never end a load: see Supervisor.
// Privilege: a process may always lower its priority. To raise it again takes CAP_SYS_NICE or an
//            RLIMIT_NICE that allows the former value (LimitNICE= of systemd). Without these the
//            priority stays as it is.
// Source:    sched(7).
#pragma once

#include <optional>

namespace ringmaster::worker {

class LowPriority {
 public:
  // REQUIRES: the process has one thread.
  LowPriority();
  ~LowPriority();
  LowPriority(const LowPriority&) = delete;
  LowPriority& operator=(const LowPriority&) = delete;

 private:
  std::optional<int> before_;  // the nice value; empty: the priority was not lowered
};

}  // namespace ringmaster::worker
