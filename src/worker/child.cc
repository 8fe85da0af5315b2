#include "worker/child.h"

#include <csignal>
#include <cstdlib>
#include <sys/prctl.h>
#include <unistd.h>

namespace ringmaster::work {

void tie_to(pid_t nursery) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != nursery) ::_exit(0);  // it died before the line above
}

void begin_child(pid_t nursery) {
  tie_to(nursery);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::srandom(static_cast<unsigned>(::getpid()));
  ::srand48(::getpid());
}

}  // namespace ringmaster::work
