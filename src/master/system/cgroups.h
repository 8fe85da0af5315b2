// Which cgroups this process is in: see cgroups(7).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ringmaster::master {

struct Cgroup {
  std::string controllers;     // "cpu,cpuacct" of a version 1 hierarchy; empty: version 2
  std::filesystem::path path;  // relative to the hierarchy's mount point
};

// The cgroups in the order of the kernel's file, `proc`/self/cgroup. Empty: there is no such file.
std::vector<Cgroup> own_cgroups(const std::filesystem::path& proc);

}  // namespace ringmaster::master
