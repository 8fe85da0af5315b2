#include "worker/child.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sys/prctl.h>
#include <unistd.h>

namespace ringmaster::worker {
namespace {

void call(void (*hook)()) {
  if (hook != nullptr) hook();
}

void begin_child(pid_t fork_server) {
  tie_to(fork_server);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::srandom(static_cast<unsigned>(::getpid()));
  ::srand48(::getpid());
}

}  // namespace

void ForkHooks::add(const void* library, const rm_handler& handler) {
  const auto is_known = [library](const auto& known) { return known.first == library; };
  if (std::ranges::none_of(libraries_, is_known)) libraries_.emplace_back(library, &handler);
}

void ForkHooks::before() const {
  for (auto known = libraries_.rbegin(); known != libraries_.rend(); ++known)
    call(known->second->before_fork);
}

void ForkHooks::after_in_parent() const {
  for (const auto& [library, handler] : libraries_)
    call(handler->after_fork_parent);
}

void ForkHooks::after_in_child() const {
  for (const auto& [library, handler] : libraries_)
    call(handler->after_fork_child);
}

pid_t fork_child(const ForkHooks& hooks) {
  const pid_t fork_server = ::getpid();
  hooks.before();
  const pid_t pid = ::fork();
  if (pid == 0) {
    begin_child(fork_server);
    hooks.after_in_child();
    return 0;
  }
  const int error = errno;
  hooks.after_in_parent();
  errno = error;
  return pid;
}

void tie_to(pid_t fork_server) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != fork_server) ::_exit(0);  // the fork server died before the line above
}

}  // namespace ringmaster::worker
