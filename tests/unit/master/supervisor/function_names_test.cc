#include "master/supervisor/function_names.h"

#include <doctest/doctest.h>

namespace ringmaster::master {

using namespace std::string_view_literals;

TEST_CASE("function names: each name is asked for once") {
  FunctionNames names;
  CHECK(names.ask({7, 8}) == std::vector<uint64_t>{7, 8});
  CHECK(names.is_asking());
  CHECK(names.name(7) == "0x7");
  CHECK(names.on_answer("seven\0eight\0"sv));
  CHECK(!names.is_asking());
  CHECK(names.name(7) == "seven");
  CHECK(names.name(8) == "eight");
  CHECK(names.ask({8, 9, 7}) == std::vector<uint64_t>{9});
}

TEST_CASE("function names: many are asked for in parts") {
  FunctionNames names;
  std::vector<uint64_t> functions(FunctionNames::kAskedMax + 1);
  for (size_t i = 0; i < functions.size(); ++i)
    functions[i] = i;
  CHECK(names.ask(functions).size() == FunctionNames::kAskedMax);
  CHECK(names.on_answer(std::string(FunctionNames::kAskedMax, '\0')));
  CHECK(names.ask(functions) == std::vector<uint64_t>{FunctionNames::kAskedMax});
}

TEST_CASE("function names: an answer has as many names as were asked for") {
  for (const std::string_view answer :
       {""sv, "a"sv, "a\0"sv, "a\0b"sv, "a\0b\0c\0"sv, "a\0b\0c"sv}) {
    FunctionNames names;
    REQUIRE(names.ask({7, 8}).size() == 2);
    CHECK(!names.on_answer(answer));
    CHECK(names.name(7) == "0x7");
  }
}

TEST_CASE("function names: their number is bounded") {
  FunctionNames names;
  for (uint64_t i = 0; i <= FunctionNames::kNamesMax; ++i) {
    REQUIRE(names.ask({i}).size() == 1);
    REQUIRE(names.on_answer("x\0"sv));
  }
  CHECK(names.name(0) == "x");
  CHECK(names.ask({0}).size() == 1);  // forgotten
}

}  // namespace ringmaster::master
