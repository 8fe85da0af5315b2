#include "upstream/address_history.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <iterator>
#include <random>

namespace ringmaster::upstream {
namespace {

using Addresses = std::vector<std::string>;

constexpr uint64_t kPauseNs = 5 * kNsPerS;

// Looks a name up again and again.
struct Lookups {
  Addresses find(const Addresses& found) { return history.add(found, now_ns += kPauseNs); }

  AddressHistory history;
  uint64_t now_ns = 1000 * kNsPerS;
};

}  // namespace

TEST_CASE("address history: an address that a lookup does not find is gone at once") {
  Lookups lookups;
  CHECK(lookups.find({"a", "b"}) == Addresses{"a", "b"});
  CHECK(lookups.find({"b", "c"}) == Addresses{"b", "c"});
  CHECK(lookups.find({"d"}) == Addresses{"d"});
  CHECK(lookups.find({"d", "e", "f"}) == Addresses{"d", "e", "f"});
}

TEST_CASE("address history: servers that start again one after the other are left out meanwhile") {
  Lookups lookups;
  const Addresses all{"a", "b", "c"};
  for (int i = 0; i < 20; ++i) {
    CHECK(lookups.find(all) == all);
    CHECK(lookups.find({"b", "c"}) == Addresses{"b", "c"});
    CHECK(lookups.find({"a", "c"}) == Addresses{"a", "c"});
    CHECK(lookups.find({"a", "b"}) == Addresses{"a", "b"});
  }
}

TEST_CASE("address history: an address that comes and goes alone is left out meanwhile") {
  Lookups lookups;
  for (int i = 0; i < 20; ++i) {
    CHECK(lookups.find({"a", "b"}) == Addresses{"a", "b"});
    CHECK(lookups.find({"a"}) == Addresses{"a"});
  }
}

TEST_CASE("address history: addresses of one family are never used with those of the other") {
  Lookups lookups;
  const Addresses one{"10.0.0.1", "10.0.0.2"}, other{"fe80::1", "fe80::2"};
  for (int i = 0; i < 5; ++i) {
    CHECK(lookups.find(one) == one);
    CHECK(lookups.find(other) == other);
  }
}

TEST_CASE("address history: where each lookup finds another part, the parts count together") {
  Lookups lookups;
  lookups.find({"a", "b"});
  lookups.find({"c", "d"});
  CHECK(lookups.find({"a", "b"}) == Addresses{"a", "b"});
  CHECK(lookups.find({"c", "d"}) == Addresses{"a", "b", "c", "d"});
  CHECK(lookups.find({"a", "e"}) == Addresses{"a", "b", "c", "d", "e"});
}

TEST_CASE("address history: of random parts, all addresses are found and kept") {
  std::mt19937 random(1);
  Lookups lookups;
  Addresses all;
  for (int i = 10; i < 30; ++i)
    all.push_back("10.0.0." + std::to_string(i));
  Addresses known;
  for (int i = 0; i < 200; ++i) {
    Addresses part;
    std::ranges::sample(all, std::back_inserter(part), 8, random);
    known = lookups.find(part);
    if (i >= 50) CHECK(known == all);
  }
}

TEST_CASE("address history: an address that no part has any more is gone after kKeptNs") {
  constexpr uint64_t kLookups = AddressHistory::kKeptNs / kPauseNs;
  Lookups lookups;
  lookups.find({"c"});
  Addresses known;
  for (uint64_t i = 0; i < kLookups; ++i)
    known = lookups.find({i % 2 == 0 ? "a" : "b"});
  CHECK(known == Addresses{"a", "b", "c"});
  CHECK(lookups.find({"a"}) == Addresses{"a", "b"});
  for (uint64_t i = 0; i < kLookups; ++i)
    known = lookups.find({"a"});
  CHECK(known == Addresses{"a"});
  CHECK(lookups.find({"d"}) == Addresses{"d"});  // the name is like others again
}

}  // namespace ringmaster::upstream
