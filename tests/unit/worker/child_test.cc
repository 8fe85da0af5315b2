#include "worker/child.h"

#include <doctest/doctest.h>
#include <string>
#include <unistd.h>

#include "support.h"

namespace ringmaster::worker {
namespace {

std::string calls;

using Hook = void (*)();

rm_handler with_hooks(Hook before, Hook after_in_parent, Hook after_in_child) {
  rm_handler handler{};
  handler.before_fork = before;
  handler.after_fork_parent = after_in_parent;
  handler.after_fork_child = after_in_child;
  return handler;
}

}  // namespace

TEST_CASE(
    "fork hooks: each library's hooks are called once; those before a fork in reverse "
    "order") {
  calls.clear();
  const rm_handler first =
      with_hooks([] { calls += "a"; }, [] { calls += "b"; }, [] { calls += "c"; });
  const rm_handler second =
      with_hooks([] { calls += "A"; }, [] { calls += "B"; }, [] { calls += "C"; });
  const rm_handler none{};
  ForkHooks hooks;
  const char libraries[3] = {};
  hooks.add(&libraries[0], first);
  hooks.add(&libraries[1], second);
  hooks.add(&libraries[0], first);  // another handler of this library
  hooks.add(&libraries[2], none);
  const pid_t pid = fork_child(hooks);
  REQUIRE(pid >= 0);
  if (pid == 0) ::_exit(calls == "AacC" ? 0 : 1);
  CHECK(calls == "AabB");
  int status = -1;
  CHECK(::waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
}

}  // namespace ringmaster::worker
