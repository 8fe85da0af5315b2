#include "master/oom_kills.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

namespace ringmaster::master {
namespace {

namespace fs = std::filesystem;

// The line "oom_kill N" of either file.
std::optional<uint64_t> count_in(const std::string& path) {
  std::ifstream file(path);
  std::string key;
  for (uint64_t value = 0; file >> key >> value;) {
    if (key == "oom_kill") return value;
  }
  return std::nullopt;
}

// Lines are "0::/path" in the unified hierarchy, "4:memory:/path" in the older one.
std::string find_file(const fs::path& proc, const fs::path& cgroup) {
  std::ifstream groups(proc / "self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = fs::path(line.substr(second + 1)).relative_path();
    const fs::path file = controllers.empty() ? cgroup / group / "memory.events"
                                              : cgroup / controllers / group / "memory.oom_control";
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
