#include "master/scheduler/share_table.h"

#include <doctest/doctest.h>

namespace ringmaster::master {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

}  // namespace

TEST_CASE("share table: a name is one client, and a name is no address") {
  ShareTable table;
  ClientShare& first = table.hold("10.0.0.1", ShareTable::Kind::kNamed);
  CHECK(&table.hold("10.0.0.1", ShareTable::Kind::kNamed) == &first);
  CHECK(&table.hold("10.0.0.1", ShareTable::Kind::kAddress) != &first);
  CHECK(table.size() == 2);
}

TEST_CASE("share table: a client that can be told from a new one by nothing is forgotten") {
  ShareTable table;
  table.release(table.hold("a", ShareTable::Kind::kNamed));
  table.hold("b", ShareTable::Kind::kNamed);
  CHECK(table.size() == 1);
}

TEST_CASE("share table: a client that owes something is kept, until nobody waits") {
  ShareTable table;
  ClientShare& client = table.hold("a", ShareTable::Kind::kNamed);
  table.root().on_asked(client, kSecond, 0, 2);
  table.root().on_given(client, kSecond, true, kSecond, 2);
  table.release(client);
  table.hold("b", ShareTable::Kind::kNamed);
  table.root().on_asked(table.hold("b", ShareTable::Kind::kNamed), 9 * kSecond, 0, 2);
  table.hold("b", ShareTable::Kind::kNamed);
  CHECK(table.size() == 2);
  table.root().settle();
  table.hold("b", ShareTable::Kind::kNamed);
  CHECK(table.size() == 1);
}

TEST_CASE("share table: of idle clients only so many are kept, whatever they owe") {
  ShareTable table;
  for (size_t i = 0; i < ShareTable::kIdleMax + 500; ++i) {
    ClientShare& client = table.hold(std::to_string(i), ShareTable::Kind::kAddress);
    table.addresses().on_asked(client, kSecond, 0, 2);
    table.addresses().on_given(client, kSecond, false, kSecond, 2);
    table.release(client);
  }
  CHECK(table.size() <= ShareTable::kIdleMax + 1);
}

}  // namespace ringmaster::master
