#include "worker/child.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
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

// Those of the main thread; a thread that ends leaves it its own.
std::vector<pid_t> find_children() {
  std::ifstream file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  return {std::istream_iterator<pid_t>(file), {}};
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

size_t end_children() {
  size_t ended = 0;
  // A child that dies leaves its own children to this process.
  for (std::vector<pid_t> found = find_children(); !found.empty(); found = find_children()) {
    for (const pid_t child : found) {
      ::kill(child, SIGKILL);
      while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
    ended += found.size();
  }
  return ended;
}

}  // namespace ringmaster::worker
