// LowPriority: this process yields the CPU to others (nice 10) for as long as the object lives.
//
// Processes: the fork server while it loads handlers for a reload, so that the workers that serve
//            meanwhile keep their CPU time.
// Privilege: a process may always lower its priority. To raise it again takes CAP_SYS_NICE or an
//            RLIMIT_NICE that allows the former value (LimitNICE= of systemd). Without these the
//            priority stays as it is.
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
  std::optional<int> before_;  // empty: the priority was not lowered
};

}  // namespace ringmaster::worker
