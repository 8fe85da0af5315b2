#include "master/frontend/response_queue.h"

#include <doctest/doctest.h>

using ringmaster::master::ResponseQueue;

TEST_CASE(
    "response queue: replies go out in the order of their places, however they are completed") {
  ResponseQueue line;
  std::string out = "0";
  const auto complete = [&](ResponseQueue::Place place, const char* reply) {
    line.complete(
        place, [reply](std::string& into) { into += reply; }, out);
  };
  const auto first = line.open();
  const auto second = line.open();
  const auto third = line.open();
  complete(third, "3");
  complete(second, "22");
  CHECK(out == "0");
  CHECK(line.held_bytes() == 3);
  CHECK(line.size() == 3);
  complete(first, "1");
  CHECK(out == "01223");
  CHECK(line.is_empty());
  CHECK(line.held_bytes() == 0);
  complete(line.open(), "");
  CHECK(out == "01223");
  CHECK(line.is_empty());
}
