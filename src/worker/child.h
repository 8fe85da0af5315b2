// The first actions of every process that the fork server forks.
#pragma once

#include <sys/types.h>

namespace ringmaster::worker {

// Makes this process die with the fork server, and gives it signals and random numbers of its own.
// Ends the process if the fork server is gone already.
void begin_child(pid_t fork_server);

// Only makes the process die with the fork server. The kernel undoes that when the process changes
// its user.
void tie_to(pid_t fork_server);

}  // namespace ringmaster::worker
