#include "master/scheduler/share.h"

#include <doctest/doctest.h>

namespace ringmaster::master {
namespace {

constexpr int64_t kMs = 1'000'000;

// A group with two active members that were idle. Each has a credit of 100 ms times its weight.
struct Members {
  static constexpr uint64_t kNow = 1'000'000'000;
  ShareGroup group{nullptr, 1};
  Share light{&group, 1};
  Share heavy{&group, 3};

  Members() {
    for (Share* member : {&light, &heavy})
      group.on_asked(*member, kNow, 0, 2);
    REQUIRE(group.credit_ns() == 100 * kMs);
  }
  // By how much the virtual time moves when the member, within its share, is given this work.
  int64_t moves(Share& member, int64_t work_ns) {
    const int64_t before = group.virtual_ns();
    group.on_given(member, work_ns, false, kNow, 2);
    return group.virtual_ns() - before;
  }
};

}  // namespace

TEST_CASE("share: virtual time moves on by the work done on credit over the active weight") {
  Members of;
  CHECK(of.moves(of.light, 40 * kMs) == 10 * kMs);
  CHECK(of.moves(of.light, 80 * kMs) == 15 * kMs);  // 60 ms of the credit were left
  CHECK(of.moves(of.light, 40 * kMs) == 0);
}

TEST_CASE("share: virtual time does not move by jobs that are withdrawn") {
  Members of;
  const int64_t before = of.group.virtual_ns();
  for (int i = 0; i < 10; ++i) {
    CHECK(of.moves(of.light, 40 * kMs) == 10 * kMs);
    of.group.on_corrected(of.light, -40 * kMs);
    of.group.on_idle(of.light);
  }
  CHECK(of.group.virtual_ns() == before);
  CHECK(of.moves(of.light, 150 * kMs) == 25 * kMs);
  of.group.on_corrected(of.light, -70 * kMs);  // 80 ms were used, of which 20 ms are left
  CHECK(of.group.virtual_ns() == before + 20 * kMs);
  of.group.on_corrected(of.light, 15 * kMs);  // another job took longer than expected
  CHECK(of.group.virtual_ns() == before + 20 * kMs + 15 * kMs / 4);
  CHECK(of.moves(of.light, 40 * kMs) == 5 * kMs / 4);
}

TEST_CASE("share: a member's credit grows with its weight") {
  Members of;
  CHECK(of.moves(of.heavy, 500 * kMs) == 75 * kMs);
}

TEST_CASE("share: a member that was idle and has fallen behind has a new credit") {
  Members of;
  CHECK(of.moves(of.light, 100 * kMs) == 25 * kMs);
  CHECK(of.moves(of.light, 50 * kMs) == 0);
  of.group.on_idle(of.light);
  of.moves(of.heavy, 1000 * kMs);
  of.group.on_idle(of.heavy);
  of.group.settle();
  CHECK(of.moves(of.light, 40 * kMs) == 10 * kMs);
}

TEST_CASE("share: when no jobs are left, the member that has had most gets no new credit") {
  Members of;
  CHECK(of.moves(of.light, 1000 * kMs) == 25 * kMs);
  of.group.on_corrected(of.light, -800 * kMs);  // it was charged too much
  of.group.on_idle(of.light);
  of.group.settle();
  CHECK(of.group.is_within(of.group.start(of.light)));
  CHECK(of.moves(of.light, 40 * kMs) == 0);
  CHECK(!of.group.is_within(of.group.start(of.light)));
}

TEST_CASE("share: a member that has fallen behind while it had work has no new credit") {
  Members of;
  CHECK(of.moves(of.light, 100 * kMs) == 25 * kMs);
  of.group.settle();
  CHECK(of.moves(of.light, 40 * kMs) == 0);
}

}  // namespace ringmaster::master
