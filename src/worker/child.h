// What every process that the nursery forks does first.
#pragma once

#include <sys/types.h>

namespace ringmaster::work {

// Ties this process to the nursery's life, and gives it signals and random numbers of its own.
// Ends the process when the nursery is gone already.
void begin_child(pid_t nursery);

// The tie alone. The kernel undoes it whenever the process changes its user.
void tie_to(pid_t nursery);

}  // namespace ringmaster::work
