// Watchdog: what the service manager is told again and again, for as long as the event loop turns.
//
//   WATCHDOG=1           at half of the interval that it has set (WatchdogSec=)
//   EXTEND_TIMEOUT_USEC  while handlers load and the fork server uses CPU time: a load that takes
//                        long is waited for, one that hangs is not
//   STATUS               where it has changed: looked at once a second, so that a worker which is
//                        replaced within milliseconds is no news
//
// Processes: the master only.
// Progress:  timers of the loop send these, and libuv runs timers once a turn: each one proves that
//            the turn before it has come to its end, sockets and results included. A master that is
//            frozen, or in a callback that does not return, falls silent; a busy one does not.
// Without a manager ($NOTIFY_SOCKET) there are no timers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/uv_handle.h"
#include "master/system/systemd.h"

namespace ringmaster::master {

class Watchdog {
 public:
  struct Sources {
    std::function<std::string()> status;  // one line, for people
    std::function<int()> loading_pid;     // the process that loads handlers; 0: nobody does
  };

  // Call once, before any process is spawned: the variables that ask for it are removed.
  // `notifier` must live as long as this.
  Watchdog(uv_loop_t* loop, Notifier& notifier, Sources sources);

 private:
  void look();
  bool is_load_moving();

  Notifier& notifier_;
  Sources sources_;
  std::string status_;        // as the manager knows it
  uint64_t load_cpu_ns_ = 0;  // what the load had used when it was looked at last
  UvHandle<uv_timer_t> watchdog_;
  UvHandle<uv_timer_t> look_;
};

}  // namespace ringmaster::master
