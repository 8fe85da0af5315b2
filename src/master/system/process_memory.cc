#include "master/system/process_memory.h"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <unistd.h>

namespace ringmaster::master {
namespace {

std::optional<uint64_t> anonymous_bytes(int32_t pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  uint64_t size = 0;
  uint64_t resident = 0;
  uint64_t shared = 0;  // of files and shared memory
  if (!(file >> size >> resident >> shared)) return std::nullopt;
  return (resident - std::min(resident, shared)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

uint64_t grown_bytes(int32_t worker_pid, int32_t fork_server_pid) {
  const std::optional<uint64_t> worker = anonymous_bytes(worker_pid);
  const std::optional<uint64_t> fork_server = anonymous_bytes(fork_server_pid);
  if (!worker || !fork_server) return 0;
  return *worker - std::min(*worker, *fork_server);
}

}  // namespace ringmaster::master
