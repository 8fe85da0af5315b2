#include "cli/reload_master.h"

#include <cerrno>
#include <csignal>
#include <fmt/format.h>
#include <fstream>
#include <string>
#include <string_view>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

namespace ringmaster::cli {
namespace {

// As serve() sets it.
constexpr std::string_view kTitle = "ringmaster: master ";

// <sys/pidfd.h> of Debian 12 does not compile as C++.
int open_pidfd(int pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

}  // namespace

Status reload_master(int pid) {
  // Opened before the title is read: the process with that title gets the signal, or no process.
  const Fd handle(open_pidfd(pid));
  if (!handle.is_open()) return fail_errno(fmt::format("find the process {}", pid), errno);
  std::ifstream file(fmt::format("/proc/{}/cmdline", pid));
  std::string title;
  std::getline(file, title, '\0');
  if (!title.starts_with(kTitle)) {
    return fail(ExitCode::kResource,
                fmt::format("process {}: expected the master of a ringmaster on this host, found "
                            "{}",
                            pid, title.empty() ? "no title" : title));
  }
  if (::syscall(SYS_pidfd_send_signal, handle.get(), SIGHUP, nullptr, 0) == 0) return {};
  return fail_errno(fmt::format("send SIGHUP to process {}", pid), errno);
}

}  // namespace ringmaster::cli
