// RefusalQuota: how many refusals a client gets at once.
#include "master/frontend/refusal_quota.h"

#include <doctest/doctest.h>

#include "base/clock.h"

namespace ringmaster::master {
namespace {

void refuse(RefusalQuota& quota, RefusalQuota::Account client, int times, uint64_t now_ns) {
  for (int i = 0; i < times; ++i)
    quota.charge(client, now_ns);
}

}  // namespace

TEST_CASE("refusal quota: 500 refusals at once, then 5,000 a second") {
  RefusalQuota quota("salt");
  const auto one = quota.account_of("10.0.0.1");
  const auto other = quota.account_of("10.0.0.2");
  REQUIRE(one != other);
  refuse(quota, one, 500, kNsPerS);
  CHECK(quota.has_credit(one, kNsPerS));
  refuse(quota, one, 1, kNsPerS);
  CHECK(!quota.has_credit(one, kNsPerS));
  CHECK(quota.has_credit(other, kNsPerS));
  for (uint64_t ms = 1; ms <= 1'000; ++ms) {
    const uint64_t now = kNsPerS + ms * kNsPerMs;
    CHECK(quota.has_credit(one, now));
    refuse(quota, one, 5, now);
    CHECK(!quota.has_credit(one, now));
  }
}

TEST_CASE("refusal quota: 100 ms later a client has credit, however often it was refused") {
  RefusalQuota quota("salt");
  const auto one = quota.account_of("10.0.0.1");
  refuse(quota, one, 1'000'000, kNsPerS);
  CHECK(!quota.has_credit(one, kNsPerS + 99 * kNsPerMs));
  CHECK(quota.has_credit(one, kNsPerS + 100 * kNsPerMs));
}

}  // namespace ringmaster::master
