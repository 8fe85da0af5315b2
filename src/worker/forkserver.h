// Fork server: loads the handlers once, then forks workers on request, reaps them and reports.
//
// Processes: one per generation. The master starts it with uv_spawn (fork and exec). The master may
//            have threads, so it forks no worker itself. The fork server's only socket is the
//            control channel, and it has one thread: a process with more cannot be forked safely.
// Inline:    for debuggers (ipc::Confinement::is_inline), it forks no process: told to fork the
//            first worker, it becomes that worker, and serves until the master closes the channel.
//            It obeys no orders meanwhile, and self-tests are not run.
// Spare:     one more forked process (ipc::Confinement::keeps_spare). It is confined, and waits for
//            an order to fork; then it becomes that worker. The next spare is forked when no order
//            has come for 20 ms. If the spare has died, the fork server tells the master, and forks
//            the worker as without a spare.
// Death:     its workers die with it, and it dies with its master (PR_SET_PDEATHSIG, then a check
//            of the parent, which may have died before).
#pragma once

namespace ringmaster::worker {

// main() of `ringmaster fork-server GENERATION MASTER_PID`, with the descriptors of ipc/control.h.
// Returns the exit code.
int run_fork_server(int argc, char** argv);

}  // namespace ringmaster::worker
