#include "worker/confine.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "worker/child.h"
#include "worker/sandbox.h"

namespace ringmaster::worker {
namespace {

Status change_user(uid_t user, gid_t group, pid_t fork_server) {
  if (::setgroups(0, nullptr) != 0 || ::setresgid(group, group, group) != 0 ||
      ::setresuid(user, user, user) != 0) {
    return fail_errno(fmt::format("become user {} (user = \"root\" in [workers] keeps root)", user),
                      errno);
  }
  // A change of the user id resets two things: PR_SET_PDEATHSIG, and the ownership of the process's
  // own files in /proc, which core dumps and sanitizers need.
  tie_to(fork_server);
  if (::prctl(PR_SET_DUMPABLE, 1) != 0) return fail_errno("stay dumpable as another user", errno);
  return {};
}

}  // namespace

Result<std::string> confine(const ipc::Confinement& confinement, pid_t fork_server) {
  const bool has_sandbox = confinement.sandbox != ipc::Sandbox::kOff;
  if (has_sandbox) empty_bounding_set();  // needs a capability of root
  if (confinement.changes_user != 0) {
    Status changed = change_user(confinement.user_id, confinement.group_id, fork_server);
    if (!changed) return tl::unexpected(changed.error());
  }
  if (!has_sandbox) return "";
  if (confinement.changes_user == 0) {
    if (Status left = leave_threads_to_master(); !left) return tl::unexpected(left.error());
  }
  return enter_sandbox(confinement.sandbox);
}

}  // namespace ringmaster::worker
