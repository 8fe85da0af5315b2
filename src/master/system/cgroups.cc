#include "master/system/cgroups.h"

#include <fstream>

namespace ringmaster::master {

std::vector<Cgroup> own_cgroups(const std::filesystem::path& proc) {
  std::vector<Cgroup> groups;
  std::ifstream file(proc / "self/cgroup");
  for (std::string line; std::getline(file, line);) {  // "0::/path" or "1:cpu,cpuacct:/path"
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    groups.push_back({line.substr(first + 1, second - first - 1),
                      std::filesystem::path(line.substr(second + 1)).relative_path()});
  }
  return groups;
}

}  // namespace ringmaster::master
