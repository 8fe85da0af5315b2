#include "master/system/oom_kills.h"

#include <doctest/doctest.h>

#include "support.h"

namespace ringmaster::master {
namespace {

struct MemoryGroup {
  explicit MemoryGroup(const std::string& groups) { folder.write("proc/self/cgroup", groups); }
  OomKills kills() const { return OomKills(folder.at("proc"), folder.at("cgroup")); }

  test::TemporaryFolder folder;
};

}  // namespace

TEST_CASE("oom kills: each rise of our own cgroup's count is told once") {
  const MemoryGroup machine("0::/system.slice/ringmaster.service\n");
  const auto write = [&](const std::string& count) {
    machine.folder.write("cgroup/system.slice/ringmaster.service/memory.events",
                         "low 0\nhigh 7\nmax 12\noom 3\noom_kill " + count + "\n");
  };
  write("5");
  OomKills kills = machine.kills();
  CHECK(!kills.rose());  // kills before the start do not count
  write("6");
  CHECK(kills.rose());
  CHECK(!kills.rose());
  write("9");
  CHECK(kills.rose());
  CHECK(!kills.rose());
}

TEST_CASE("oom kills: the older hierarchy has the count in another file") {
  const MemoryGroup machine("9:name=systemd:/x\n4:memory:/group\n1:cpu:/group\n0::/\n");
  const auto write = [&](const std::string& count) {
    machine.folder.write("cgroup/memory/group/memory.oom_control",
                         "oom_kill_disable 0\nunder_oom 0\noom_kill " + count + "\n");
  };
  write("0");
  OomKills kills = machine.kills();
  CHECK(!kills.rose());
  write("1");
  CHECK(kills.rose());
}

TEST_CASE("oom kills: without a count no kill is seen") {
  CHECK(!OomKills("/nonexistent", "/nonexistent").rose());
  const MemoryGroup machine("0::/\n");
  OomKills kills = machine.kills();
  CHECK(!kills.rose());
  machine.folder.write("cgroup/memory.events", "oom_kill 1\n");
  CHECK(!kills.rose());
}

}  // namespace ringmaster::master
