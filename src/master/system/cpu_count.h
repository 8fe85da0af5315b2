// cpu_count(): how many CPUs this process may use at once: what `workers.count = "auto"` means.
//
// The CPU quota of the cgroup (version 1 or 2), else the affinity mask, else the cores: the
// smallest of those that are set. A machine of 64 cores may grant a container two of them. Source:
// https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), sched(7).
#pragma once

#include <cstddef>
#include <string>

namespace ringmaster::master {

// At least 1. The arguments are where the kernel's files are: tests give others.
size_t cpu_count(const std::string& proc = "/proc", const std::string& cgroup = "/sys/fs/cgroup");

}  // namespace ringmaster::master
