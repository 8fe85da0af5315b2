// HandshakeQuota and HandshakeLoad: how much time one client's handshakes may take, and when time
// is scarce.
#include "master/frontend/handshake_quota.h"

#include <doctest/doctest.h>

#include "base/clock.h"
#include "master/frontend/handshake_load.h"

namespace ringmaster::master {
TEST_CASE("handshake quota: half a second at once, then a hundredth of the time") {
  HandshakeQuota quota("salt");
  const auto one = quota.account_of("10.0.0.1");
  const auto other = quota.account_of("10.0.0.2");
  REQUIRE(one != other);
  CHECK(one == quota.account_of("10.0.0.1"));
  const uint64_t begin = 1000 * kNsPerS;
  quota.charge(one, 500 * kNsPerMs - 1, begin);
  CHECK(quota.may_begin(one, begin));
  quota.charge(one, 1, begin);
  CHECK(!quota.may_begin(one, begin));
  CHECK(quota.may_begin(other, begin));
  CHECK(!quota.may_begin(one, begin + 99));
  CHECK(quota.may_begin(one, begin + 100));
  // Credit grows by 10 ms a second: a charge of 20 ms takes the credit of two seconds.
  quota.charge(one, 20 * kNsPerMs, begin + kNsPerS);
  CHECK(!quota.may_begin(one, begin + 2 * kNsPerS - 1));
  CHECK(quota.may_begin(one, begin + 2 * kNsPerS + 100));
  CHECK(quota.may_begin(one, begin + 1000 * kNsPerS));
}

TEST_CASE("handshake quota: a handshake that has begun may exceed the quota by as much again") {
  HandshakeQuota quota("salt");
  const auto one = quota.account_of("10.0.0.1");
  quota.charge(one, 1000 * kNsPerMs - 1, kNsPerS);
  CHECK(!quota.may_begin(one, kNsPerS));
  CHECK(quota.may_go_on(one, kNsPerS));
  quota.charge(one, 1, kNsPerS);
  CHECK(!quota.may_go_on(one, kNsPerS));
}

TEST_CASE("handshake quota: a refund lowers the debt, at most to 0") {
  HandshakeQuota quota("salt");
  const auto one = quota.account_of("10.0.0.1");
  quota.charge(one, 600 * kNsPerMs, kNsPerS);
  quota.refund(one, 100 * kNsPerMs, kNsPerS);
  CHECK(!quota.may_begin(one, kNsPerS));
  quota.refund(one, 1, kNsPerS);
  CHECK(quota.may_begin(one, kNsPerS));
  quota.refund(one, 5000 * kNsPerMs, kNsPerS);
  quota.charge(one, 500 * kNsPerMs, kNsPerS);
  CHECK(!quota.may_begin(one, kNsPerS));
}

TEST_CASE("handshake quota: a debt is at most two bursts, and is gone after 100 s") {
  HandshakeQuota quota("salt");
  const auto one = quota.account_of("10.0.0.1");
  for (int i = 0; i < 1000; ++i)
    quota.charge(one, 100 * kNsPerMs, kNsPerS);
  CHECK(!quota.may_begin(one, 50 * kNsPerS));
  CHECK(quota.may_begin(one, 51 * kNsPerS + 100));
}

TEST_CASE("handshake load: time is scarce for a second after a handshake had to wait for a turn") {
  HandshakeLoad load;
  CHECK(!load.is_scarce(kNsPerS));
  for (int i = 0; i < 4; ++i)
    load.charge(kNsPerMs, kNsPerS);
  CHECK(!load.is_scarce(kNsPerS));  // no handshake has had to wait yet
  CHECK(!load.may_go_on(kNsPerS));  // the turn's time would be over at this handshake's end
  CHECK(load.is_scarce(2 * kNsPerS - 1));
  CHECK(!load.is_scarce(2 * kNsPerS));
  load.end_turn();
  CHECK(load.may_go_on(2 * kNsPerS));
  CHECK(!load.is_scarce(2 * kNsPerS));
}

TEST_CASE("handshake load: each handshake that takes a whole turn has a turn of its own") {
  HandshakeLoad load;
  load.charge(9 * kNsPerMs, kNsPerS);
  load.end_turn();
  CHECK(load.may_go_on(kNsPerS));
  load.charge(kNsPerMs, kNsPerS);  // less than expected, but another handshake may take 9 ms
  CHECK(!load.may_go_on(kNsPerS));
}

TEST_CASE("handshake load: time is scarce after handshakes have taken a quarter of a second") {
  HandshakeLoad load;
  const auto take = [&](uint64_t took_ns, uint64_t now_ns) {
    load.charge(took_ns, now_ns);
    load.end_turn();
  };
  for (uint64_t now = 10 * kNsPerS; now < 12 * kNsPerS; now += 100 * kNsPerMs)
    take(24 * kNsPerMs, now);
  CHECK(!load.is_scarce(12 * kNsPerS));
  for (uint64_t now = 12 * kNsPerS; now < 13 * kNsPerS; now += 100 * kNsPerMs)
    take(25 * kNsPerMs, now);
  CHECK(load.is_scarce(13 * kNsPerS));
  CHECK(!load.is_scarce(14 * kNsPerS));
}

TEST_CASE("handshake quota: the salt decides which clients share an account") {
  const HandshakeQuota quota("salt"), another("pepper");
  int same = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string client = std::to_string(i);
    same += quota.account_of(client) == another.account_of(client) ? 1 : 0;
  }
  CHECK(same < 10);
}

}  // namespace ringmaster::master
