// Talks to the service manager (systemd's protocol); does nothing without one. The periodic
// messages are in watchdog.h.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <sys/un.h>
#include <vector>

#include "base/fd.h"
#include "base/uv_handle.h"

namespace ringmaster::master {

// Sockets that the service manager has bound for us. Those that it names "tls"
// (FileDescriptorName=) speak TLS. Call once, before any process is spawned: the variables that
// announce them are removed.
struct InheritedSocket {
  Fd fd;
  bool is_tls;
};
std::vector<InheritedSocket> inherited_sockets();

// How long the manager waits for a WATCHDOG=1 before it ends us; 0: for ever, or the manager
// watches another process. Call once, before any process is spawned: the variables that say so are
// removed.
uint64_t watchdog_interval_ms();

// Notifier: sends messages to the service manager at $NOTIFY_SOCKET.
//
// Processes: the master only.
// Waits:     never. sd_notify(3) blocks while the manager's socket is full. Here a message that
//            does not fit is sent again every 100 ms, until it fits or the manager is gone.
//            Messages keep their order; a new one takes the place of an unsent one of its kind.
class Notifier {
 public:
  explicit Notifier(uv_loop_t* loop);

  // Whether there is a manager.
  bool is_needed() const { return socket_.is_open(); }

  // The server serves, after the start or after a reload.
  void ready(const std::string& status);
  // A reload has begun; ready() ends it, whether or not anything has changed.
  void reloading();
  // No new request is admitted; those in flight will be finished within `limit_ms`.
  void stopping(const std::string& status, uint64_t limit_ms);

  // Tells the manager's watchdog that the master is alive.
  void alive();
  // The start, reload or stop under way may take `limit_ms` more.
  void extend(uint64_t limit_ms);
  // One line, for people.
  void status(const std::string& status);

 private:
  void send(std::string message);
  void send_unsent();

  sockaddr_un manager_{};
  socklen_t manager_size_ = 0;
  Fd socket_;
  std::deque<std::string> unsent_;  // at most one of a kind
  UvHandle<uv_timer_t> again_;
};

}  // namespace ringmaster::master
