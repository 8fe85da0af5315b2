#include "worker/child.h"

#include <csignal>
#include <cstdlib>
#include <sys/prctl.h>
#include <unistd.h>

namespace ringmaster::worker {

void tie_to(pid_t fork_server) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != fork_server) ::_exit(0);  // the fork server died before the line above
}

void begin_child(pid_t fork_server) {
  tie_to(fork_server);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::srandom(static_cast<unsigned>(::getpid()));
  ::srand48(::getpid());
}

}  // namespace ringmaster::worker
