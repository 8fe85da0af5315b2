#include "master/rehearsal/answer_shape.h"

#include <doctest/doctest.h>

namespace ringmaster::master {
namespace {

// "PATH: LOST -> GAINED" for each difference.
std::string differ(std::string_view before, std::string_view now) {
  std::string text;
  for (const ShapeDifference& one : differences(AnswerShape::of(before), AnswerShape::of(now)))
    text += one.path + ": " + describe(one.lost) + " -> " + describe(one.gained) + "\n";
  return text;
}

}  // namespace

TEST_CASE("answer shape: texts, numbers, order and new members make no difference") {
  CHECK(differ(R"({"a":1,"b":"x","c":[1,2]})", R"({"c":[3],"b":"y","a":2.5,"d":{"e":null}})") ==
        "");
  CHECK(differ(R"([{"a":1}])", R"([{"a":2,"b":3},{"a":4}])") == "");
  CHECK(differ("[]", "[1]") == "result: empty array -> array\n");
}

TEST_CASE("answer shape: a lost value or another type is a difference") {
  CHECK(differ(R"({"a":1})", R"({"a":null})") == "result.a: number -> null\n");
  CHECK(differ(R"({"a":1})", R"({"b":1})") == "result.a: number -> nothing\n");
  CHECK(differ(R"({"a":[1]})", R"({"a":[]})") ==
        "result.a: array -> empty array\nresult.a[]: number -> nothing\n");
  CHECK(differ("[1,2]", "[1,null]") == "result[]: nothing -> null\n");
  CHECK(differ("[[1],[2]]", R"([[1],["2"]])") == "result[][]: nothing -> string\n");
  CHECK(differ("true", "[true]") == "result: bool -> array\n");
  CHECK(differ(R"([{"a":{"b":1}},{"a":{}}])", R"([{"a":{}}])") ==
        "result[].a.b: number -> nothing\n");
}

TEST_CASE("answer shape: numbers have a path for each element") {
  const AnswerShape shape = AnswerShape::of(R"({"a":[1,{"b":-2.5e3}],"c":[[],[4]]})");
  CHECK(shape.numbers == std::vector<std::pair<std::string, double>>{
                             {"result.a[0]", 1}, {"result.a[1].b", -2500}, {"result.c[1][0]", 4}});
}

TEST_CASE("answer shape: numbers in an element with a text have a second path") {
  const AnswerShape shape =
      AnswerShape::of(R"([{"name":"a","n":1,"of":{"m":2}},{"n":3,"name":"b"}])");
  CHECK(shape.numbers == std::vector<std::pair<std::string, double>>{{"result[0].n", 1},
                                                                     {"result[\"a\"].n", 1},
                                                                     {"result[0].of.m", 2},
                                                                     {"result[\"a\"].of.m", 2},
                                                                     {"result[1].n", 3}});
  CHECK(AnswerShape::is_by_text(shape.numbers[1].first));
  CHECK_FALSE(AnswerShape::is_by_text(shape.numbers[0].first));
}

TEST_CASE("answer shape: a large answer has no differences, and few numbers") {
  std::string large = "{";
  for (size_t i = 0; i <= AnswerShape::kPathsMax; ++i)
    large += "\"" + std::to_string(i) + "\":1,";
  large.back() = '}';
  CHECK(AnswerShape::of(large).is_too_large);
  CHECK(AnswerShape::of(large).numbers.size() == AnswerShape::kNumbersMax);
  CHECK(differ(large, "1") == "");
  CHECK(differ("1", large) == "");
}

TEST_CASE("answer shape: a text that is no JSON has an empty shape") {
  CHECK(AnswerShape::of("{\"a\":1").types.empty());
  CHECK(AnswerShape::of("").types.empty());
}

}  // namespace ringmaster::master
