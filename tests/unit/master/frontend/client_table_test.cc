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

TEST_CASE("client table: room is made by the oldest idle one of the client that holds most") {
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
  // An answer makes it the youngest.
  table.set_idle(first, false);
  CHECK(table.oldest_idle() == &all[2]);
  table.set_idle(first, true);
  CHECK(table.oldest_idle() == &all[2]);
  table.remove(second);
  CHECK(table.oldest_idle() == &all[3]);
  table.remove(honest);
  CHECK(table.count_of("honest") == 0);
}

TEST_CASE("client table: a client without an idle connection is passed over until it has one") {
  Table table;
  std::vector<Connection> all(3);
  const auto one = table.add(all[0], "busy", true);
  const auto two = table.add(all[1], "busy", true);
  table.add(all[2], "idle", true);
  table.set_idle(one, false);
  table.set_idle(two, false);
  CHECK(table.oldest_idle() == &all[2]);
  table.set_idle(two, true);
  CHECK(table.oldest_idle() == &all[1]);
}

TEST_CASE("client table: a connection counts as the client's that it has shown to be") {
  Table table;
  std::vector<Connection> all(4);
  const auto one = table.add(all[0], "10.0.0.1", true);
  table.add(all[1], "10.0.0.1", true);
  table.rename(one, "token x");
  CHECK(table.name_of(one) == "token x");
  table.rename(one, "token x");
  CHECK(table.count_of("token x") == 1);
  CHECK(table.count_of("10.0.0.1") == 1);
  CHECK(table.size() == 2);
  const auto three = table.add(all[2], "10.0.0.2", true);
  table.rename(three, "token x");
  CHECK(table.count_of("10.0.0.2") == 0);
  CHECK(table.oldest_idle() == &all[0]);
}

TEST_CASE("client table: a connection that is not known makes room before any known one") {
  Table table;
  std::vector<Connection> all(6);
  table.add(all[0], "fleet", true);
  const auto shown = table.add(all[1], "10.0.0.1", false);
  table.rename(shown, "fleet");
  table.add(all[2], "fleet", true);
  const auto second = table.add(all[3], "10.0.0.2", false);
  CHECK(table.oldest_idle() == &all[3]);
  table.remove(second);
  CHECK(table.oldest_idle() == &all[0]);
  // It may have had that name before.
  const auto same = table.add(all[4], "fleet", false);
  CHECK(table.oldest_idle() == &all[4]);
  table.rename(same, "fleet");
  CHECK(table.oldest_idle() == &all[0]);
  CHECK(table.count_of("fleet") == 4);
}

// Against a table that is searched from end to end.
TEST_CASE("client table: it finds the same as a full search, after any changes") {
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
