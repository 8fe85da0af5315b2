#include "master/system/process_memory.h"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <unistd.h>

namespace ringmaster::master {
namespace {

struct Memory {
  uint64_t resident_bytes = 0;
  uint64_t anonymous_bytes = 0;  // of these, neither of files nor shared
};

std::optional<Memory> memory_of(int32_t pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  uint64_t size = 0;
  uint64_t resident = 0;
  uint64_t shared = 0;
  if (!(file >> size >> resident >> shared)) return std::nullopt;
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return Memory{resident * page, (resident - std::min(resident, shared)) * page};
}

}  // namespace

uint64_t resident_bytes(int32_t pid) {
  return memory_of(pid).value_or(Memory{}).resident_bytes;
}

uint64_t grown_bytes(int32_t worker_pid, int32_t fork_server_pid) {
  const std::optional<Memory> worker = memory_of(worker_pid);
  const std::optional<Memory> fork_server = memory_of(fork_server_pid);
  if (!worker || !fork_server) return 0;
  const uint64_t now = worker->anonymous_bytes;
  return now - std::min(now, fork_server->anonymous_bytes);
}

}  // namespace ringmaster::master
