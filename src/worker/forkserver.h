// Fork server: loads the handlers once, then forks workers on request, reaps them and reports.
//
// Processes: one per generation, exec'ed by the master (which may have threads, and so never
//            forks). Its only socket is the control channel, and it has one thread: a process with
//            more cannot be forked safely.
// Death:     its workers die with it, and it dies with its master (PR_SET_PDEATHSIG, then a check
//            of the parent, which may have died before).
#pragma once

namespace ringmaster::worker {

// main() of `ringmaster fork-server GENERATION MASTER_PID`, with the descriptors of ipc/control.h.
// Returns the exit code.
int run_fork_server(int argc, char** argv);

}  // namespace ringmaster::worker
