#include "master/admin/agent_line.h"

#include <doctest/doctest.h>

namespace ringmaster::master {

TEST_CASE("agent_line: the weight is the idle part, and never 0") {
  CHECK(agent_line(0.734) == "up ready 73%");
  CHECK(agent_line(1) == "up ready 100%");
  CHECK(agent_line(0.004) == "up ready 1%");
  CHECK(agent_line(0) == "up ready 1%");
}

TEST_CASE("agent_line: a server that is not ready gets no new requests") {
  CHECK(agent_line(std::nullopt) == "drain");
}

}  // namespace ringmaster::master
