// What the service manager and the master tell each other (systemd's protocol); without one,
// nothing. What is told again and again is heartbeat.h's.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <sys/un.h>
#include <vector>

#include "base/fd.h"
#include "base/uv_handle.h"

namespace ringmaster::master {

// Sockets that the service manager has bound for us. TLS is spoken at those that it calls "tls"
// (FileDescriptorName=). Call once, before any process is spawned: the variables that announce them
// are removed.
struct InheritedSocket {
  Fd fd;
  bool is_tls;
};
std::vector<InheritedSocket> inherited_sockets();

// How long we may stay silent before the manager ends us; 0: for ever, or it is not us whom it
// watches. Call once, before any process is spawned: the variables that say so are removed.
uint64_t watchdog_interval_ms();

// Notifier: tells the service manager at $NOTIFY_SOCKET.
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
  // No new request is admitted; those in flight will be finished within that time.
  void stopping(const std::string& status, uint64_t limit_ms);

  // For the watchdog.
  void alive();
  // The start, reload or stop under way may take until so long from now.
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
