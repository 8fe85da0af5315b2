#include "master/frontend/client_table.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <optional>
#include <random>
#include <vector>

namespace ringmaster::master {
namespace {

struct Connection {
  int number;
};
using Table = ClientTable<Connection>;

}  // namespace

TEST_CASE("client table: the client with most connections gives up its oldest idle one") {
  Table table;
  std::vector<Connection> all(6);
  CHECK(table.oldest_idle() == nullptr);
  const auto honest = table.add(all[0], "honest", true);
  CHECK(table.oldest_idle() == &all[0]);
  const auto first = table.add(all[1], "greedy", true);
  const auto second = table.add(all[2], "greedy", true);
  table.add(all[3], "greedy", true);
  CHECK(table.size() == 4);
  CHECK(table.count_of("greedy") == 3);
  CHECK(table.count_of("nobody") == 0);
  CHECK(table.oldest_idle() == &all[1]);
  // After an answer, the connection is the youngest idle one.
  table.set_idle(first, false);
  CHECK(table.oldest_idle() == &all[2]);
  table.set_idle(first, true);
  CHECK(table.oldest_idle() == &all[2]);
  table.remove(second);
  CHECK(table.oldest_idle() == &all[3]);
  table.remove(honest);
  CHECK(table.count_of("honest") == 0);
}

// Compares the table with a map, all of which is searched.
TEST_CASE("client table: after any changes, the table finds the same as a full search") {
  struct Known {
    Table::Place place;
    std::string name;
    bool is_idle;
    bool is_known;
    int since;
  };
  std::mt19937 random(7);
  const auto pick = [&](size_t count) { return random() % count; };
  Table table;
  std::vector<Connection> all(60);
  std::map<int, Known> known;
  const auto name = [&] { return std::string(1, static_cast<char>('a' + pick(7))); };
  for (int step = 0; step < 20'000; ++step) {
    const int number = static_cast<int>(pick(all.size()));
    const auto at = known.find(number);
    if (at == known.end()) {
      const std::string client = name();
      const bool is_known = pick(2) == 0;
      known[number] = {table.add(all[number], client, is_known), client, true, is_known, step};
    } else if (const size_t what = pick(4); what == 0) {
      table.remove(at->second.place);
      known.erase(at);
    } else if (what == 1) {
      const std::string now = name();
      if (now != at->second.name || !at->second.is_known) at->second.since = step;
      at->second.is_known = true;
      table.rename(at->second.place, now);
      at->second.name = now;
    } else {
      at->second.is_idle = pick(5) == 0;
      at->second.since = step;
      table.set_idle(at->second.place, at->second.is_idle);
    }
    std::map<std::string, size_t> counts;
    for (const auto& one : known)
      ++counts[one.second.name];
    bool is_known_wanted = true;
    for (const auto& one : known)
      if (one.second.is_idle) is_known_wanted &= one.second.is_known;
    const auto may_go = [&](const Known& one) {
      return one.is_idle && one.is_known == is_known_wanted;
    };
    size_t most = 0;
    for (const auto& one : known)
      if (may_go(one.second)) most = std::max(most, counts[one.second.name]);
    REQUIRE(table.size() == known.size());
    for (const auto& [client, count] : counts)
      REQUIRE(table.count_of(client) == count);
    REQUIRE((!known.contains(number) ||
             table.name_of(known.at(number).place) == known.at(number).name));
    const Connection* const found = table.oldest_idle();
    REQUIRE((found == nullptr) == (most == 0));
    if (found == nullptr) continue;
    const Known& victim = known.at(static_cast<int>(found - all.data()));
    REQUIRE(may_go(victim));
    REQUIRE(counts[victim.name] == most);
    for (const auto& one : known)
      REQUIRE((one.second.name != victim.name || !may_go(one.second) ||
               one.second.since >= victim.since));
  }
}

}  // namespace ringmaster::master
