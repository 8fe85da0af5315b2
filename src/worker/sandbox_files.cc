#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "worker/sandbox_steps.h"

namespace ringmaster::worker {
namespace {

// The first version that allows moving files between folders (REFER).
constexpr long kVersion = 2;

constexpr uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr uint64_t kMove = LANDLOCK_ACCESS_FS_REFER;

class Rules {
 public:
  Rules() {
    const landlock_ruleset_attr handled{kWrite | kMove};
    fd_ = Fd(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0)));
  }
  bool is_open() const { return fd_.is_open(); }

  bool try_grant(const Fd& below, uint64_t rights) const {
    const landlock_path_beneath_attr rule{rights, below.get()};
    return ::syscall(SYS_landlock_add_rule, fd_.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
  }
  bool try_enter() const { return ::syscall(SYS_landlock_restrict_self, fd_.get(), 0) == 0; }

 private:
  Fd fd_;
};

Fd open_path(const std::filesystem::path& path) {
  return Fd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

// A rule can only add rights to a folder, so all folders but /proc and /sys are granted. A link
// leads to one of these, or to where nothing is granted.
bool try_grant_all_but_proc_and_sys(const Rules& rules) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/", error)) {
    if (entry.path() == "/proc" || entry.path() == "/sys") continue;
    const Fd file = open_path(entry.path());
    struct stat status {};
    if (!file.is_open() || ::fstat(file.get(), &status) != 0) continue;  // removed meanwhile
    if (S_ISLNK(status.st_mode)) continue;
    if (!rules.try_grant(file, S_ISDIR(status.st_mode) ? kWrite | kMove : kWrite)) return false;
  }
  errno = error.value();
  return !error;
}

}  // namespace

// Under any rules, a process in a Landlock domain cannot open the memory of a process outside of it
// (/proc/PID/mem), even of the same user.
Status restrict_files() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0) return fail_errno("landlock", errno);
  if (version < kVersion) {
    return fail(ExitCode::kResource,
                fmt::format("landlock: expected version {} (Linux 5.19) or later, found {}",
                            kVersion, version));
  }
  const Rules rules;
  // In /proc not even the worker's own folder is granted: by oom_score_adj, which is in each
  // thread's folder, too, a handler could make the kernel kill the master when memory runs out.
  if (!rules.is_open() || !rules.try_grant(open_path("/"), kMove) ||
      !try_grant_all_but_proc_and_sys(rules) || !rules.try_enter()) {
    return fail_errno("landlock", errno);
  }
  return {};
}

}  // namespace ringmaster::worker
