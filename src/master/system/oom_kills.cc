#include "master/system/oom_kills.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "master/system/cgroups.h"

namespace ringmaster::master {
namespace {

namespace fs = std::filesystem;

// The N of the line "oom_kill N" in memory.events or memory.oom_control.
std::optional<uint64_t> count_in(const std::string& path) {
  std::ifstream file(path);
  std::string key;
  for (uint64_t value = 0; file >> key >> value;) {
    if (key == "oom_kill") return value;
  }
  return std::nullopt;
}

std::string find_file(const fs::path& proc, const fs::path& cgroup) {
  for (const auto& [controllers, path] : own_cgroups(proc)) {
    const fs::path file = controllers.empty() ? cgroup / path / "memory.events"
                                              : cgroup / controllers / path / "memory.oom_control";
    if ((controllers.empty() || controllers == "memory") && count_in(file)) return file;
  }
  return "";
}

}  // namespace

OomKills::OomKills(const std::string& proc, const std::string& cgroup)
    : file_(find_file(proc, cgroup)) {
  rose();
}

bool OomKills::rose() {
  if (file_.empty()) return false;
  const uint64_t count = count_in(file_).value_or(seen_);
  return count > std::exchange(seen_, count);
}

}  // namespace ringmaster::master
