#include "worker/sandbox.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "worker/sandbox_steps.h"

namespace ringmaster::worker {
namespace {

// Enough for a worker, which opens files only. The master's limit, which a worker would inherit, is
// for connections.
constexpr rlim_t kDescriptors = 1024;

// The processes and threads that stay free for the master and the fork server; but the workers get
// at least half of the limit.
constexpr rlim_t kThreadsLeft = 256;

// The kernel counts in thousandths of the memory: this weighs as much as half of the memory.
constexpr int kOomScore = 500;

Status drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct had[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, had) != 0) return fail_errno("capabilities", errno);
  const bool has_any = std::any_of(std::begin(had), std::end(had), [](const auto& data) {
    return (data.permitted | data.effective | data.inheritable) != 0;
  });
  if (!has_any) return {};
  empty_bounding_set();
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return fail_errno("capabilities", errno);
  }
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capset, &header, none) != 0) return fail_errno("capabilities", errno);
  return {};
}

Status limit_resources() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return fail_errno("limits", errno);
  limit.rlim_cur = limit.rlim_max = std::min(limit.rlim_max, kDescriptors);
  const rlimit none{0, 0};
  for (const auto& [resource, value] :
       {std::pair(RLIMIT_NOFILE, limit), std::pair(RLIMIT_MSGQUEUE, none),
        std::pair(RLIMIT_RTPRIO, none)}) {
    if (::setrlimit(resource, &value) != 0) return fail_errno("limits", errno);
  }
  return {};
}

Status refuse_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("no_new_privs", errno);
  return {};
}

}  // namespace

Status leave_threads_to_master() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NPROC, &limit) != 0) return fail_errno("limits", errno);
  if (limit.rlim_cur == RLIM_INFINITY) return {};
  limit.rlim_cur -= std::min(limit.rlim_cur / 2, kThreadsLeft);
  limit.rlim_max = limit.rlim_cur;
  if (::setrlimit(RLIMIT_NPROC, &limit) != 0) return fail_errno("limits", errno);
  return {};
}

void empty_bounding_set() {
  for (unsigned long cap = 0; ::prctl(PR_CAPBSET_READ, cap) >= 0; ++cap)
    ::prctl(PR_CAPBSET_DROP, cap);
}

Result<std::string> enter_sandbox(ipc::Sandbox sandbox) {
  constexpr Status (*kSteps[])() = {limit_resources, drop_capabilities, refuse_new_privileges,
                                    restrict_files, refuse_calls};
  std::string missing;
  for (const auto step : kSteps) {
    const Status taken = step();
    if (taken) continue;
    if (sandbox == ipc::Sandbox::kFull) {
      return fail(
          taken.error().exit_code,
          fmt::format("the workers' sandbox: {}; sandbox = \"best-effort\" in [workers] skips "
                      "the steps that this system refuses",
                      taken.error().message));
    }
    missing += (missing.empty() ? "" : ", ") + taken.error().message;
  }
  return missing;
}

void volunteer_for_oom() {
  constexpr char kFile[] = "/proc/self/oom_score_adj";
  constexpr int kOomScoreMax = 1000;
  char text[16];
  const Fd file(::open(kFile, O_RDWR | O_CLOEXEC));
  const ssize_t size = ::pread(file.get(), text, sizeof text - 1, 0);
  if (size <= 0) return;
  text[size] = '\0';
  const std::string raised = std::to_string(std::min(std::atoi(text) + kOomScore, kOomScoreMax));
  [[maybe_unused]] const ssize_t written = ::pwrite(file.get(), raised.data(), raised.size(), 0);
}

}  // namespace ringmaster::worker
