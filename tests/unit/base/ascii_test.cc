#include "base/ascii.h"

#include <cstdint>
#include <doctest/doctest.h>

namespace ringmaster {

TEST_CASE("ascii: case is that of the letters A to Z and of nothing else") {
  CHECK(to_lower(std::string_view("@AMZ[`amz{")) == "@amz[`amz{");
  CHECK(to_lower(std::string_view("\xc4\xd6")) == "\xc4\xd6");  // Latin-1's letters are not ASCII
}

TEST_CASE("ascii: texts are equal without regard to case, and only as a whole") {
  CHECK(iequals("Content-Length", "content-LENGTH"));
  CHECK(iequals("", ""));
  CHECK(!iequals("content", "content-length"));
  CHECK(!iequals("content-length", "content"));
  CHECK(!iequals("", "a"));
}

TEST_CASE("ascii: a number is all of the text, and fits its type") {
  CHECK(to_number<uint16_t>("65535") == 65535);
  CHECK(!to_number<uint16_t>("65536"));
  CHECK(!to_number<uint16_t>("-1"));
  CHECK(!to_number<uint16_t>("80x"));
  CHECK(!to_number<uint16_t>(" 80"));
  CHECK(!to_number<uint16_t>(""));
  CHECK(to_number<uint32_t>("0660", 8) == 0660);
  CHECK(!to_number<uint32_t>("0680", 8));
}

TEST_CASE("ascii: blanks go from both ends, a carriage return with them") {
  CHECK(trim("\t a b \r") == "a b");
  CHECK(trim(" \r") == "");
  CHECK(trim("") == "");
}

}  // namespace ringmaster
