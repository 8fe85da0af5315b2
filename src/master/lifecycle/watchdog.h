// Watchdog: the periodic messages to the service manager, sent while the event loop turns.
//
//   WATCHDOG=1           at half of the manager's interval (WatchdogSec=)
//   EXTEND_TIMEOUT_USEC  during a start or a reload that moves (start_progress.h): the manager
//                        waits for a long load, not for one that hangs
//   STATUS               if it has changed: compared once a second, so a worker that is replaced
//                        within milliseconds causes no message
//
// Processes: the master only.
// Progress:  timers of the loop send these, and libuv runs timers once a turn. So each message
//            proves that the turn before has ended, sockets and results included. A busy master
//            sends them. A master that is frozen, or in a callback that does not return, does not.
// Without a manager ($NOTIFY_SOCKET) there are no timers.
#pragma once

#include <functional>
#include <string>

#include "base/uv_handle.h"
#include "master/lifecycle/start_progress.h"
#include "master/system/systemd.h"

namespace ringmaster::master {

class Watchdog {
 public:
  struct Sources {
    std::function<std::string()> status;  // one line, for people
    std::function<bool()> is_starting;    // a start or a reload is under way, and no stop
    std::function<bool()> is_reading;     // the files of a reload are read
    std::function<int()> loading_pid;     // the process that loads its handlers; 0: none does
  };

  // Create only one, before any process is spawned: it removes the manager's environment variables.
  // `notifier` must live as long as this.
  Watchdog(uv_loop_t* loop, Notifier& notifier, Sources sources);

 private:
  void look();
  bool is_start_moving();

  Notifier& notifier_;
  Sources sources_;
  std::string status_;  // as last sent
  StartProgress progress_;
  UvHandle<uv_timer_t> watchdog_;
  UvHandle<uv_timer_t> look_;
};

}  // namespace ringmaster::master
