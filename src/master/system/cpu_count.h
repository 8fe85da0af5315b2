// cpu_count(): how many CPUs this process may use at once; `workers.count = "auto"` uses it.
//
// The smallest of the cgroup's CPU quota (version 1 or 2), the affinity mask and the cores. A
// machine of 64 cores may grant a container two of them. Source:
// https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), sched(7).
#pragma once

#include <cstddef>
#include <string>

namespace ringmaster::master {

// At least 1. The arguments are the folders of the kernel's files; tests pass others.
size_t cpu_count(const std::string& proc = "/proc", const std::string& cgroup = "/sys/fs/cgroup");

}  // namespace ringmaster::master
