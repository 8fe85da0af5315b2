// OomKills: has the kernel killed one of us because memory ran out? By its own count for our
// cgroup, so that a SIGKILL which somebody sent is not taken for one.
//
// Processes: the master only, whose workers are in its cgroup.
// Limits:    of several kills between two looks one is told. Without a memory controller: none.
#pragma once

#include <cstdint>
#include <string>

namespace ringmaster::master {

class OomKills {
 public:
  // The folders are for tests.
  explicit OomKills(const std::string& proc = "/proc",
                    const std::string& cgroup = "/sys/fs/cgroup");

  // Whether there was one since this was last asked.
  bool rose();

 private:
  std::string file_;  // memory.events, or memory.oom_control of a v1 hierarchy; empty: none
  uint64_t seen_ = 0;
};

}  // namespace ringmaster::master
