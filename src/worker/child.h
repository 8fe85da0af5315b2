// How the fork server forks a canary or a worker, and the first actions of every such process.
//
// Processes: the fork server, and in fork_child() each of its children.
#pragma once

#include <ringmaster/handler.h>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace ringmaster::worker {

// The functions that the handlers' libraries want to be called around a fork: see handler.h.
class ForkHooks {
 public:
  // `library`: the handle of dlopen(3), the same for all handlers of the library.
  void add(const void* library, const rm_handler& handler);

  void before() const;
  void after_in_parent() const;
  void after_in_child() const;

 private:
  std::vector<std::pair<const void*, const rm_handler*>> libraries_;
};

// fork(2), with the hooks. Before its hooks are called, the child calls tie_to(), blocks no signal,
// and has seeds of its own for random(3) and drand48(3).
[[nodiscard]] pid_t fork_child(const ForkHooks& hooks);

// Makes the kernel kill this process when the fork server dies, and ends it if the fork server is
// dead already. When the process changes its user, the kernel undoes this.
void tie_to(pid_t fork_server);

}  // namespace ringmaster::worker
