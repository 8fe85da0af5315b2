// How the fork server forks a canary or a worker, and the first actions of every such process.
//
// Processes: the fork server, and in fork_child() each of its children.
#pragma once

#include <ringmaster/handler.h>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace ringmaster::worker {

// What libraries want to have called around a fork: see handler.h.
class ForkHooks {
 public:
  // `library`: of dlopen(3), the same however often it was loaded.
  void add(const void* library, const rm_handler& handler);

  void before() const;
  void after_in_parent() const;
  void after_in_child() const;

 private:
  std::vector<std::pair<const void*, const rm_handler*>> libraries_;
};

// fork(2), with the hooks called. The child dies with the fork server, and has signals and random
// numbers of its own, before its hooks are called. It ends itself if the fork server is gone
// already.
[[nodiscard]] pid_t fork_child(const ForkHooks& hooks);

// Only makes the process die with the fork server. The kernel undoes that when the process changes
// its user.
void tie_to(pid_t fork_server);

}  // namespace ringmaster::worker
