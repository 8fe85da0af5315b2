#include "master/reply_line.h"

#include <doctest/doctest.h>

using ringmaster::master::ReplyLine;

TEST_CASE("reply line: replies go out in the order of their places, however they are completed") {
  ReplyLine line;
  std::string out;
  const auto first = line.open();
  const auto second = line.open();
  const auto third = line.open();
  line.complete(third, "3", out);
  line.complete(second, "22", out);
  CHECK(out.empty());
  CHECK(line.held_bytes() == 3);
  CHECK(line.size() == 3);
  line.complete(first, "1", out);
  CHECK(out == "1223");
  CHECK(line.is_empty());
  CHECK(line.held_bytes() == 0);
  const auto fourth = line.open();
  line.complete(fourth, "", out);
  CHECK(out == "1223");
  CHECK(line.is_empty());
}
