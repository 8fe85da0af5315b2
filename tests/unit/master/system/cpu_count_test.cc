#include "master/system/cpu_count.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <sched.h>

#include "support.h"

namespace ringmaster::master {
namespace {

size_t allowed() {
  cpu_set_t mask;
  REQUIRE(::sched_getaffinity(0, sizeof mask, &mask) == 0);
  return static_cast<size_t>(CPU_COUNT(&mask));
}

// A machine's /proc and /sys/fs/cgroup, as far as cpu_count() reads them.
struct Machine {
  explicit Machine(const std::string& groups) { folder.write("proc/self/cgroup", groups); }
  Machine& with(const std::string& name, const std::string& text) {
    folder.write("cgroup/" + name, text);
    return *this;
  }
  size_t count() const { return cpu_count(folder.at("proc"), folder.at("cgroup")); }

  test::TemporaryFolder folder;
};

// The count for a quota of `cpus`: the affinity mask may allow fewer.
size_t at_most(size_t cpus) {
  return std::min(cpus, allowed());
}

}  // namespace

TEST_CASE("cpu count: without a quota it is the affinity mask") {
  CHECK(cpu_count("/nonexistent", "/nonexistent") == allowed());
  CHECK(Machine("0::/\n").count() == allowed());
  CHECK(Machine("0::/a\n").with("a/cpu.max", "max 100000\n").count() == allowed());
  CHECK(Machine("3:cpu:/a\n")
            .with("cpu/a/cpu.cfs_quota_us", "-1\n")
            .with("cpu/a/cpu.cfs_period_us", "100000\n")
            .count() == allowed());
}

TEST_CASE("cpu count: a narrower affinity mask gives fewer") {
  test::Child child([] {
    cpu_set_t mask;
    ::sched_getaffinity(0, sizeof mask, &mask);
    for (int cpu = 0, kept = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &mask) && kept++ > 0) CPU_CLR(cpu, &mask);
    }
    ::sched_setaffinity(0, sizeof mask, &mask);
    return static_cast<int>(cpu_count("/nonexistent", "/nonexistent"));
  });
  CHECK(child.exit_code() == 1);
}

TEST_CASE("cpu count: a cgroup v2 quota counts, a part of a CPU as a whole one") {
  const auto with_quota = [](const std::string& quota) {
    return Machine("0::/service\n").with("service/cpu.max", quota).count();
  };
  CHECK(with_quota("100000 100000\n") == 1);
  CHECK(with_quota("50000 100000\n") == 1);
  CHECK(with_quota("1000 100000\n") == 1);
  CHECK(with_quota("150000 100000\n") == at_most(2));
  CHECK(with_quota("400000 200000\n") == at_most(2));
  CHECK(with_quota("99900000 100000\n") == allowed());  // never more than the mask
}

TEST_CASE("cpu count: the smallest quota on the way to the root binds") {
  CHECK(Machine("0::/a/b/c\n")
            .with("a/b/c/cpu.max", "800000 100000\n")
            .with("a/b/cpu.max", "max 100000\n")
            .with("a/cpu.max", "100000 100000\n")
            .count() == 1);
  CHECK(Machine("0::/a\n").with("cpu.max", "100000 100000\n").count() == 1);
  CHECK(Machine("0::/a\n").with("other/cpu.max", "100000 100000\n").count() == allowed());
}

TEST_CASE("cpu count: a cgroup v1 quota counts, also if its hierarchy has other controllers") {
  for (const char* groups :
       {"4:cpu,cpuacct:/a/b\n", "4:cpuacct,cpu:/a/b\n", "9:memory:/m\n4:cpu:/a/b\n0::/\n"}) {
    CAPTURE(groups);
    CHECK(Machine(groups)
              .with("cpu/a/cpu.cfs_quota_us", "50000\n")
              .with("cpu/a/cpu.cfs_period_us", "100000\n")
              .count() == 1);
  }
  CHECK(Machine("4:cpuset:/a\n")
            .with("cpu/a/cpu.cfs_quota_us", "50000\n")
            .with("cpu/a/cpu.cfs_period_us", "100000\n")
            .count() == allowed());
}

TEST_CASE("cpu count: the hybrid hierarchy's v2 half is found") {
  CHECK(Machine("1:name=systemd:/a\n0::/a\n").with("unified/a/cpu.max", "1000 100000\n").count() ==
        1);
}

TEST_CASE("cpu count: files with nonsense in them count as no quota") {
  for (const char* quota : {"", "abc", "100000", "0 0", "-5 100000", "100000 0", "1e999999 x"}) {
    CAPTURE(quota);
    CHECK(Machine("0::/a\n").with("a/cpu.max", quota).count() == allowed());
  }
  for (const char* groups : {"", "\n", ":", "0:", "0::", "nonsense\n\n::\n"}) {
    CAPTURE(groups);
    CHECK(Machine(groups).count() == allowed());
  }
}

}  // namespace ringmaster::master
