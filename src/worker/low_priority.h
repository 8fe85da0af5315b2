// LowPriority: this process runs when no other process wants to (SCHED_IDLE), for as long as the
// object lives.
//
// Processes: the fork server while it loads handlers for a reload, so that the workers that serve
//            meanwhile keep their CPU time. A higher nice value would not do: since Linux 6.6 a
//            process with one may end its time slice, of up to 3 ms, before a worker that wakes up
//            runs.
// Privilege: a process may always choose SCHED_IDLE. To leave it again takes CAP_SYS_NICE or an
//            RLIMIT_NICE that allows the process's nice value (LimitNICE= of systemd). Without
//            these the priority stays as it is.
// Source:    sched(7).
#pragma once

namespace ringmaster::worker {

class LowPriority {
 public:
  // REQUIRES: the process has one thread.
  LowPriority();
  ~LowPriority();
  LowPriority(const LowPriority&) = delete;
  LowPriority& operator=(const LowPriority&) = delete;

 private:
  bool is_low_ = false;
};

}  // namespace ringmaster::worker
