// What the service manager and the master tell each other (systemd's protocol); without one,
// nothing. What is told again and again is heartbeat.h's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"

namespace ringmaster::master {

// Sockets that the service manager has bound for us. TLS is spoken at those that it calls "tls"
// (FileDescriptorName=). Call once, before any process is spawned: the variables that announce them
// are removed.
struct InheritedSocket {
  Fd fd;
  bool is_tls;
};
std::vector<InheritedSocket> inherited_sockets();

// Whether there is a manager that wants to be told anything.
bool has_manager();

// How long we may stay silent before the manager ends us; 0: for ever, or it is not us whom it
// watches. Call once, before any process is spawned: the variables that say so are removed.
uint64_t watchdog_interval_ms();

// Serving, after the start or after a reload.
void notify_ready(const std::string& status);
// A reload has begun; notify_ready() ends it, whether or not anything has changed.
void notify_reloading();
// Nothing new is admitted; what was will be finished within that time.
void notify_stopping(const std::string& status, uint64_t limit_ms);

// For the watchdog.
void notify_alive();
// The start, reload or stop under way may take until so long from now.
void notify_extend(uint64_t limit_ms);
// One line, for people.
void notify_status(const std::string& status);

}  // namespace ringmaster::master
