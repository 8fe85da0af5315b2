#include "master/system/process_look.h"

#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <fmt/format.h>
#include <string>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

namespace ringmaster::master {
namespace {

// The begin of /proc/PID/NAME; empty: there is no such process.
std::string read_about(pid_t pid, const char* name) {
  const Fd file(::open(fmt::format("/proc/{}/{}", pid, name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return "";
  char text[512];
  const ssize_t size = ::read(file.get(), text, sizeof text);
  return std::string(text, static_cast<size_t>(size < 0 ? 0 : size));
}

}  // namespace

uint64_t cpu_ns_of(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<uint64_t>(used.tv_sec) * kNsPerS + static_cast<uint64_t>(used.tv_nsec);
}

uint64_t cpu_wait_ns_of(pid_t pid) {
  uint64_t used_ns = 0, wait_ns = 0;
  const std::string text = read_about(pid, "schedstat");
  return std::sscanf(text.c_str(), "%" SCNu64 " %" SCNu64, &used_ns, &wait_ns) == 2 ? wait_ns : 0;
}

std::optional<ProcessLook> look_at_process(pid_t pid) {
  const std::string stat = read_about(pid, "stat");  // PID (NAME) STATE ...
  // A name may hold parentheses; nothing behind it does.
  const size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos || name_end + 2 >= stat.size()) return std::nullopt;
  return ProcessLook{stat[name_end + 2], cpu_ns_of(pid)};
}

}  // namespace ringmaster::master
