// Fork server: loads the handlers once, then forks workers on request, reaps them and reports.
//
// Processes: one per generation, exec'ed by the master (which may have threads, and so never forks
//            itself). It owns no socket but its control channel, and no thread: a process with
//            threads cannot be forked safely.
// Death:     takes its workers with it, and dies with its master (PR_SET_PDEATHSIG, and a second
//            look at the parent, which may have died before).
#pragma once

namespace ringmaster::worker {

// main() of `ringmaster fork server GENERATION MASTER_PID`, with the descriptors of ipc/control.h.
// Returns the exit code.
int run_fork_server(int argc, char** argv);

}  // namespace ringmaster::worker
