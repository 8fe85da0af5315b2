#include "base/json/schema.h"

#include <doctest/doctest.h>

#include "base/json/scan.h"

namespace ringmaster::json {
namespace {

// "/pointer: expected, found"; "fits" where the text fits.
std::string judge(const std::string& schema, const std::string& text) {
  const auto compiled = Schema::compile(schema);
  REQUIRE_MESSAGE(compiled, schema);
  const auto mismatch = compiled->find_mismatch(text);
  if (!mismatch) return "fits";
  return mismatch->pointer + ": " + mismatch->expected + ", " + mismatch->found;
}

std::string fault_of(const std::string& schema) {
  const auto compiled = Schema::compile(schema);
  return compiled ? "" : compiled.error();
}

}  // namespace

TEST_CASE("json_schema: a mismatch names its place, the keyword and what was found") {
  struct Case {
    std::string schema, text, says;
  };
  const std::string nested =
      R"({"properties":{"a/b":{"items":{"properties":{"n":{"type":"integer"}}}}}})";
  const Case kCases[] = {
      {R"({"type":"integer"})", "1", "fits"},
      {R"({"type":"integer"})", "2.0", "fits"},
      {R"({"type":"integer"})", "-2e3", "fits"},
      {R"({"type":"integer"})", "2.5", ": type integer, 2.5"},
      {R"({"type":"number"})", "7", "fits"},
      {R"({"type":["null","string"]})", "7", R"(: type ["null","string"], 7)"},
      {R"({"type":"string"})", "{}", ": type string, an object"},
      {R"({"type":"string"})", "[1]", ": type string, an array"},
      {R"({"type":"object"})", R"("\u00e4\"")", ": type object, \"\xc3\xa4\\\"\""},
      {R"({"enum":["a",1,null]})", "null", "fits"},
      {R"({"enum":["a",1,null]})", "1.0", "fits"},
      {R"({"enum":["a",1,null]})", R"("b")", R"(: enum ["a",1,null], "b")"},
      {R"({"const":"a"})", R"("a")", "fits"},
      {R"({"const":"a"})", "true", R"(: enum ["a"], true)"},
      {R"({"minimum":0})", "0", "fits"},
      {R"({"minimum":0})", "-1", ": minimum 0, -1"},
      {R"({"exclusiveMinimum":0})", "0.5", "fits"},
      {R"({"exclusiveMinimum":0})", "0", ": exclusiveMinimum 0, 0"},
      {R"({"minimum":1,"exclusiveMinimum":0})", "0.5", ": minimum 1, 0.5"},
      {R"({"minimum":0,"exclusiveMinimum":0})", "0", ": exclusiveMinimum 0, 0"},
      {R"({"maximum":5,"exclusiveMaximum":9})", "6", ": maximum 5, 6"},
      {R"({"exclusiveMaximum":9})", "9", ": exclusiveMaximum 9, 9"},
      {R"({"maximum":5})", "-1e300", "fits"},
      {R"({"maximum":5})", "1e300", ": maximum 5, 1e300"},
      {R"({"enum":[1]})", "1e300", ": enum [1], 1e300"},
      {R"({"multipleOf":3})", "10", ": multipleOf 3, 10"},
      {R"({"minLength":2})", "\"\xc3\xa4\"", ": minLength 2, \"\xc3\xa4\""},
      {R"({"maxLength":2})", R"("abc")", R"(: maxLength 2, "abc")"},
      {R"({"required":["a","b"]})", R"({"x":{"b":1},"a":2})", ": b (required), no such member"},
      {R"({"items":{"required":["a"]}})", R"([{"a":1},{"b":{"a":1}}])",
       "/1: a (required), no such member"},
      {R"({"additionalProperties":false,"properties":{"a":{}}})", R"({"a":1})", "fits"},
      {R"({"additionalProperties":false,"properties":{"a":{}}})", R"({"b":1})",
       "/b: one of the members a, another"},
      {R"({"additionalProperties":false,"properties":{"name":{},"size":{}}})", R"({"nam":1})",
       "/nam: one of the members name, size; did you mean name?, another"},
      {R"({"additionalProperties":false})", R"({"b":1})",
       "/b: additionalProperties false, a member of this name"},
      {R"({"minProperties":1})", "{}", ": minProperties 1, an object of 0 members"},
      {R"({"maxItems":1})", "[1,2]", ": maxItems 1, an array of 2 elements"},
      {R"({"items":[{"type":"string"}],"additionalItems":false})", R"(["a"])", "fits"},
      {R"({"items":{"type":"string"}})", R"(["a",null])", "/1: type string, null"},
      {R"({"anyOf":[{"type":"null"},{"minimum":3}]})", "2",
       R"(: anyOf [{"type":"null"},{"minimum":3}], 2)"},
      {R"({"items":{"anyOf":[{"type":"object","required":["a"]},{"type":"null"}]}})",
       R"([{"a":1},{"b":1}])", "/1: a (required), no such member"},
      {R"({"anyOf":[{"type":"array","items":{"type":"integer"}},{"type":"null"}]})", R"([1,"x"])",
       R"(/1: type integer, "x")"},
      {R"({"anyOf":[{"type":"array","maxItems":1},{"type":"array","minItems":3}]})", "[1,2]",
       R"(: anyOf [{"type":"array","maxItems":1},{"type":"array","minItems":3}], )"
       "an array of 2 elements"},
      {R"({"not":{"type":"null"}})", "null", R"(: not {"type":"null"}, null)"},
      {nested, R"({"a/b":[{"n":1},{"n":"x"}]})", R"(/a~1b/1/n: type integer, "x")"},
  };
  for (const Case& c : kCases) {
    CAPTURE(c.schema);
    CAPTURE(c.text);
    CHECK(judge(c.schema, c.text) == c.says);
  }
}

TEST_CASE("json_schema: a schema that could not be enforced is refused, and the place is named") {
  struct Case {
    std::string schema, says;
  };
  const Case kCases[] = {
      {"[]", ": expected a schema: an object"},
      {"{", ": expected a key in quotes at byte 1, found the end"},
      {R"({"type":"float"})", "/type: expected one or more of null, boolean"},
      {R"({"type":[]})", "/type: expected one or more of"},
      {R"({"$ref":"#"})", "/$ref: unknown keyword"},
      {R"({"properties":{"a":{"if":{}}}})", "/properties/a/if: unknown keyword"},
      {R"({"uniqueItems":true})", "/uniqueItems: unknown keyword"},
      {R"({"items":[{},true]})", "/items/1: expected a schema"},
      {R"({"anyOf":[]})", "/anyOf: expected an array of schemas"},
      {R"({"enum":[]})", "/enum: expected an array"},
      {R"({"enum":[{}]})", "/enum: expected an array"},
      {R"({"const":[1]})", "/const: expected null, a boolean"},
      {R"({"const":1,"enum":[1]})", ": expected either const or enum"},
      {R"({"minLength":-1})", "/minLength: expected an integer from 0 on"},
      {R"({"minimum":"0"})", "/minimum: expected a number"},
      {R"({"maximum":1e300})", "/maximum: expected a number from -2^62"},
      {R"({"enum":[0,5e18]})", "/enum: expected an array"},
      {R"({"exclusiveMinimum":true})", "/exclusiveMinimum: expected a number"},
      {R"({"multipleOf":0})", "/multipleOf: expected an integer from 1 on"},
      {R"({"pattern":"^a"})", "/pattern: unknown keyword"},
      {R"({"required":[1]})", "/required: expected an array of names"},
      {R"({"properties":{"a~/":7}})", "/properties/a~0~1: expected a schema"},
      {R"({"properties":{"a\u0000":{"minLength":1}}})", ": a property's name cannot have a NUL"},
      {R"({"properties":{"dependencies":{}}})",
       "/properties/dependencies: a property of this name"},
      {R"({"type":"null","type":"null"})", "/type: found twice"},
      {R"({"properties":{"a":{},"b":{},"a":{}}})", "/properties/a: found twice"},
      {R"({"additionalProperties":1})", "/additionalProperties: expected a schema"},
      {std::string(200, '[') + std::string(200, ']'), ": expected at most 128 levels"},
  };
  for (const Case& c : kCases) {
    CAPTURE(c.schema);
    CAPTURE(fault_of(c.schema));
    CHECK(fault_of(c.schema).find(c.says) != std::string::npos);
  }
}

TEST_CASE("json_schema: annotations are no constraints, whatever they hold") {
  const std::string annotations =
      R"("title":1,"default":{"$ref":"#"},"examples":[{"not":1}],"format":"date")";
  const auto schema = Schema::compile('{' + annotations + '}');
  REQUIRE(schema);
  CHECK(schema->is_anything());
  CHECK(!schema->find_mismatch("[1,{\"a\":null}]"));
  CHECK(!Schema::compile('{' + annotations + R"(,"$comment":"\ud800"})"));  // RapidJSON's limit
}

TEST_CASE("json_schema: text that RapidJSON cannot parse fits no schema") {
  CHECK(judge("{\"type\":\"number\"}", "1e400").find("a double's range, an invalid one at byte") !=
        std::string::npos);
  CHECK(judge("{\"type\":\"string\"}", R"("\ud800")").find("valid characters") !=
        std::string::npos);
}

TEST_CASE("json_schema: messages repeat no more of a text than people read") {
  const std::string large(100'000, 'x');
  const auto of = [](const std::string& schema, const std::string& text) {
    return judge(schema, text).size();
  };
  CHECK(of("{\"type\":\"null\"}", '"' + large + '"') < 300);
  CHECK(of("{\"additionalProperties\":false}", "{\"" + large + "\":1}") < 300);
  CHECK(of("{\"enum\":[\"" + large + "\"]}", "1") < 300);
}

TEST_CASE("json_schema: the deepest text is checked") {
  const std::string deep = std::string(kMaxDepth, '[') + std::string(kMaxDepth, ']');
  CHECK(judge("{\"type\":\"array\"}", deep) == "fits");
  std::string nested = "{\"type\":\"null\"}";
  for (size_t i = 0; i < kMaxDepth / 2 - 1; ++i)
    nested = "{\"anyOf\":[" + nested + "]}";
  CHECK(judge(nested, "null") == "fits");
  CHECK(judge(nested, deep).substr(0, 8) == ": anyOf ");
}

}  // namespace ringmaster::json
