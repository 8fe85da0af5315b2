// What every process that the fork server forks does first.
#pragma once

#include <sys/types.h>

namespace ringmaster::worker {

// Ties this process to the fork server's life, and gives it signals and random numbers of its own.
// Ends the process when the fork server is gone already.
void begin_child(pid_t fork_server);

// The tie alone. The kernel undoes it whenever the process changes its user.
void tie_to(pid_t fork_server);

}  // namespace ringmaster::worker
