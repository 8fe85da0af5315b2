#include "master/system/process_look.h"

#include <ctime>
#include <fcntl.h>
#include <fmt/format.h>
#include <string_view>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

namespace ringmaster::master {

uint64_t cpu_ns_of(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<uint64_t>(used.tv_sec) * kNsPerS + static_cast<uint64_t>(used.tv_nsec);
}

std::optional<ProcessLook> look_at_process(pid_t pid) {
  const Fd file(::open(fmt::format("/proc/{}/stat", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return std::nullopt;
  char text[512];  // PID (NAME) STATE ...: a name has at most 64 bytes
  const ssize_t size = ::read(file.get(), text, sizeof text);
  const std::string_view stat(text, static_cast<size_t>(size < 0 ? 0 : size));
  // A name may hold parentheses; nothing behind it does.
  const size_t name_end = stat.rfind(") ");
  if (name_end == std::string_view::npos || name_end + 2 >= stat.size()) return std::nullopt;
  return ProcessLook{stat[name_end + 2], cpu_ns_of(pid)};
}

}  // namespace ringmaster::master
