// What the service manager and the master tell each other (systemd's protocol); without one,
// nothing.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"

namespace ringmaster::master {

// Sockets that the service manager has bound for us. Call once, before any process is spawned: the
// variables that announce them are removed.
std::vector<Fd> inherited_sockets();

void notify_ready(const std::string& status);
void notify_status(const std::string& status);
// To be followed by notify_ready(), whatever comes of the reload.
void notify_reloading();
void notify_stopping();

}  // namespace ringmaster::master
