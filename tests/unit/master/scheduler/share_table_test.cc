#include "master/scheduler/share_table.h"

#include <doctest/doctest.h>

namespace ringmaster::master {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr auto kNamed = ShareTable::Kind::kNamed;
constexpr auto kAddress = ShareTable::Kind::kAddress;

// Looks at each client of a small table.
void look_at_all(ShareTable& table) {
  for (int i = 0; i < 4; ++i)
    table.hold("the one that is there", kNamed);
}

}  // namespace

TEST_CASE("share table: equal names are one client; an equal address is another client") {
  ShareTable table;
  const auto first = table.hold("10.0.0.1", kNamed);
  const auto address = table.hold("10.0.0.1", kAddress);
  CHECK(table.hold("10.0.0.1", kNamed) == first);
  CHECK(address != first);
  CHECK(table.size() == 2);
}

TEST_CASE("share table: a client that does not differ from a new one is forgotten") {
  ShareTable table;
  const auto there = table.hold("the one that is there", kNamed);
  auto held = table.hold("a", kNamed);
  look_at_all(table);
  CHECK(table.size() == 2);
  held = nullptr;
  look_at_all(table);
  CHECK(table.size() == 1);
}

TEST_CASE("share table: a client with a job is kept, and forgotten after it") {
  ShareTable table;
  const auto there = table.hold("the one that is there", kNamed);
  ClientShare& client = *table.hold("a", kNamed);
  client.jobs = 1;
  look_at_all(table);
  CHECK(table.size() == 2);
  client.jobs = 0;
  table.on_idle(client);
  look_at_all(table);
  CHECK(table.size() == 1);
}

TEST_CASE("share table: a client is kept until others have had as much, or no job waits") {
  ShareTable table;
  const auto there = table.hold("the one that is there", kNamed);
  ClientShare& client = *table.hold("a", kNamed);
  table.root().on_asked(client, kSecond, 0, 2);
  table.root().on_given(client, kSecond, true, kSecond, 2);
  table.root().on_asked(*there, 9 * kSecond, 0, 2);
  look_at_all(table);
  CHECK(table.size() == 2);
  table.root().settle();
  look_at_all(table);
  CHECK(table.size() == 2);
  table.root().on_given(*there, 2 * kSecond, true, 9 * kSecond, 2);
  table.root().on_idle(*there);
  table.root().settle();
  look_at_all(table);
  CHECK(table.size() == 1);
}

TEST_CASE("share table: at most kIdleMax idle clients are kept, whatever they got") {
  ShareTable table;
  for (size_t i = 0; i < ShareTable::kIdleMax + 500; ++i) {
    const auto client = table.hold(std::to_string(i), kAddress);
    table.addresses().on_asked(*client, kSecond, 0, 2);
    table.addresses().on_given(*client, kSecond, false, kSecond, 2);
  }
  CHECK(table.size() <= ShareTable::kIdleMax + 1);
}

}  // namespace ringmaster::master
