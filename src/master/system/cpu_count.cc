#include "master/system/cpu_count.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sched.h>
#include <sstream>
#include <unistd.h>

#include "master/system/cgroups.h"

namespace ringmaster::master {
namespace {

namespace fs = std::filesystem;

std::optional<double> cpus(double quota, double period) {
  if (quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

// cpu.max: "200000 100000", or "max 100000" where there is no limit.
std::optional<double> quota_v2(const fs::path& folder) {
  std::ifstream file(folder / "cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max") return std::nullopt;
  return cpus(std::strtod(quota.c_str(), nullptr), period);
}

std::optional<double> quota_v1(const fs::path& folder) {
  double quota = 0;
  double period = 0;
  std::ifstream(folder / "cpu.cfs_quota_us") >> quota;
  std::ifstream(folder / "cpu.cfs_period_us") >> period;
  return cpus(quota, period);
}

// A quota also binds all groups below its own, so the smallest quota up to the root counts.
template <class Quota>
void narrow(std::optional<double>& smallest, const fs::path& root, fs::path group, Quota quota) {
  for (;; group = group.parent_path()) {
    if (const std::optional<double> here = quota(root / group)) {
      smallest = std::min(smallest.value_or(*here), *here);
    }
    if (group.empty()) return;
  }
}

std::optional<double> cgroup_quota(const fs::path& proc, const fs::path& cgroup) {
  std::optional<double> smallest;
  for (const auto& [controllers, path] : own_cgroups(proc)) {
    if (controllers.empty()) {
      narrow(smallest, cgroup, path, quota_v2);
      narrow(smallest, cgroup / "unified", path, quota_v2);
    }
    std::istringstream names(controllers);
    for (std::string name; std::getline(names, name, ',');) {
      if (name == "cpu") narrow(smallest, cgroup / "cpu", path, quota_v1);
    }
  }
  return smallest;
}

size_t affinity_count() {
  cpu_set_t mask;
  if (::sched_getaffinity(0, sizeof mask, &mask) == 0) {
    return static_cast<size_t>(CPU_COUNT(&mask));
  }
  return static_cast<size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

}  // namespace

size_t cpu_count(const std::string& proc, const std::string& cgroup) {
  const size_t allowed = affinity_count();
  const std::optional<double> quota = cgroup_quota(proc, cgroup);
  if (!quota) return allowed;
  return std::clamp<size_t>(static_cast<size_t>(std::ceil(*quota)), 1, allowed);
}

}  // namespace ringmaster::master
