#include "base/client_turns.h"

#include <doctest/doctest.h>

namespace ringmaster {
namespace {

std::string pop_all(ClientTurns<std::string>& turns) {
  std::string all;
  while (!turns.is_empty())
    all += turns.pop() + ' ';
  return all;
}

void push(ClientTurns<std::string>& turns, std::initializer_list<const char*> items) {
  for (const char* item : items)
    turns.push(std::string(1, item[0]), item);
}

}  // namespace

TEST_CASE("client turns: each client in turn, its items in their order") {
  ClientTurns<std::string> turns;
  CHECK(turns.is_empty());
  push(turns, {"b1", "b2", "b3", "a1", "c1", "c2"});
  CHECK(pop_all(turns) == "a1 b1 c1 b2 c2 b3 ");
}

TEST_CASE("client turns: the client that had the last turn waits for the others") {
  ClientTurns<std::string> turns;
  push(turns, {"b1"});
  CHECK(turns.pop() == "b1");
  push(turns, {"b2", "a1"});
  CHECK(pop_all(turns) == "a1 b2 ");
  push(turns, {"b3", "b4", "c1"});
  CHECK(pop_all(turns) == "c1 b3 b4 ");
}

TEST_CASE("client turns: the items that are not erased keep their order") {
  ClientTurns<std::string> turns;
  push(turns, {"a1", "a2", "b1", "c1"});
  turns.erase_if([](const std::string& item) { return item == "a1" || item == "b1"; });
  CHECK(pop_all(turns) == "a2 c1 ");
  push(turns, {"a3"});
  turns.erase_if([](const std::string&) { return true; });
  CHECK(turns.is_empty());
}

TEST_CASE("client turns: an item is erased by its place") {
  ClientTurns<std::string> turns;
  push(turns, {"a1", "b1"});
  const auto a2 = turns.push("a", "a2");
  push(turns, {"a3"});
  turns.erase(a2);
  CHECK(turns.pop() == "a1");
  const auto c1 = turns.push("c", "c1");
  turns.erase(c1);
  CHECK(pop_all(turns) == "b1 a3 ");
}

TEST_CASE("client turns: an item is given to a client whose turn comes sooner") {
  ClientTurns<std::string> turns;
  push(turns, {"a1", "a2"});
  const auto a3 = turns.push("a", "a3");
  push(turns, {"a4", "b1", "b2", "c1"});
  CHECK(turns.move_if_sooner(a3, "b").queue == a3.queue);  // b has as many before it
  const auto moved = turns.move_if_sooner(a3, "c");
  CHECK(turns.move_if_sooner(moved, "a").queue == moved.queue);
  CHECK(turns.move_if_sooner(moved, "d").queue != moved.queue);
  CHECK(pop_all(turns) == "a1 b1 c1 a3 a2 b2 a4 ");
}

TEST_CASE("client turns: items that were erased come before no other item") {
  ClientTurns<std::string> turns;
  push(turns, {"a1", "b1", "b2"});
  const auto a2 = turns.push("a", "a2"), a3 = turns.push("a", "a3"), a4 = turns.push("a", "a4");
  turns.erase(a2);
  turns.erase(a3);
  CHECK(turns.move_if_sooner(a4, "b").queue == a4.queue);
  CHECK(turns.move_if_sooner(a4, "c").queue != a4.queue);
  CHECK(pop_all(turns) == "a1 b1 a4 b2 ");
}

TEST_CASE("client turns: the only item of a client stays with it") {
  ClientTurns<std::string> turns;
  const auto a1 = turns.push("a", "a1");
  CHECK(turns.move_if_sooner(a1, "b").queue == a1.queue);
  const auto a2 = turns.push("a", "a2");
  turns.erase(turns.move_if_sooner(a2, "b"));
  CHECK(pop_all(turns) == "a1 ");
}

TEST_CASE("client turns: a client's own items decide how many turns come before its next one") {
  ClientTurns<std::string> turns;
  CHECK(turns.turns_before("a") == 0);
  push(turns, {"a1", "a2", "a3", "a4"});
  CHECK(turns.turns_before("a") == 4);
  CHECK(turns.turns_before("b") == 1);
  push(turns, {"b1", "c1"});
  CHECK(turns.turns_before("b") == 1 + 2 * 2);
  CHECK(turns.turns_before("d") == 3);
}

}  // namespace ringmaster
