// OomKills: whether the kernel has killed a process of this server because memory ran out. It reads
// the kernel's count for our cgroup, so a SIGKILL from another process does not count.
//
// Processes: the master only, whose workers are in its cgroup.
// Limits:    several kills between two calls count as one. Without a memory controller no kill is
//            seen.
#pragma once

#include <cstdint>
#include <string>

namespace ringmaster::master {

class OomKills {
 public:
  // The arguments are for tests.
  explicit OomKills(const std::string& proc = "/proc",
                    const std::string& cgroup = "/sys/fs/cgroup");

  // Whether there was a kill since the last call.
  bool rose();

 private:
  std::string file_;  // memory.events, or memory.oom_control of a v1 hierarchy; empty: none
  uint64_t seen_ = 0;
};

}  // namespace ringmaster::master
