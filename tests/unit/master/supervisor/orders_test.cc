#include "master/supervisor/orders.h"

#include <csignal>
#include <doctest/doctest.h>

namespace ringmaster::master {
namespace {

using ipc::ControlMessage;
using ipc::ControlType;

ControlMessage fork_of(uint32_t slot) {
  return {ControlType::kFork, slot, 0, 0, {}};
}
ControlMessage kill_of(uint32_t slot, int32_t pid, int signal = SIGKILL) {
  return {ControlType::kKill, slot, pid, signal, {}};
}

}  // namespace

TEST_CASE("orders: they leave in the order in which they came") {
  Orders orders;
  orders.add({ControlType::kGeometry, 0, 0, 0, {}});
  orders.add({ControlType::kLoad, 0, 0, 0, {}});
  orders.add(fork_of(0));
  for (const ControlType type : {ControlType::kGeometry, ControlType::kLoad, ControlType::kFork}) {
    REQUIRE(!orders.is_empty());
    CHECK(orders.front().type == type);
    orders.pop();
  }
  CHECK(orders.is_empty());
}

TEST_CASE("orders: however many are given, one waits for each worker slot") {
  Orders orders;
  for (int round = 0; round < 1000; ++round) {
    for (uint32_t slot = 0; slot < 3; ++slot)
      orders.add(kill_of(slot, 100 + static_cast<int32_t>(slot)));
  }
  CHECK(orders.count() == 3);
}

TEST_CASE("orders: an order to kill a worker replaces one to end it, not the other way round") {
  Orders orders;
  orders.add(kill_of(0, 100, SIGTERM));
  orders.add(kill_of(0, 100));
  orders.add(kill_of(0, 100, SIGTERM));
  REQUIRE(orders.count() == 1);
  CHECK(orders.front().status == SIGKILL);
}

TEST_CASE("orders: a slot that is forked anew has no worker left to kill") {
  Orders orders;
  orders.add(kill_of(0, 100));
  orders.add(fork_of(0));
  REQUIRE(orders.count() == 1);
  CHECK(orders.front().type == ControlType::kFork);
}

}  // namespace ringmaster::master
