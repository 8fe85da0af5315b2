#include "worker/description.h"

#include <doctest/doctest.h>
#include <ringmaster/handler.h>
#include <string>
#include <vector>

#include "demo/categories.h"
#include "demo/interests/description.h"

namespace ringmaster::worker {
namespace {

std::string fault_of(const std::string& text) {
  const auto parsed = Description::parse(text);
  return parsed ? "" : parsed.error();
}

// The fault that a description with these members finds in `params`; "fits": none.
std::string judge(const std::string& members, const std::string& params,
                  const std::vector<std::string>& filled = {}) {
  const auto parsed = Description::parse('{' + members + '}');
  REQUIRE_MESSAGE(parsed, parsed.error());
  return parsed->find_fault(params, filled).value_or("fits");
}

const std::string kTwo = R"("params":[{"name":"n","required":true,"schema":{"type":"integer"}},)"
                         R"({"name":"unit","schema":{"enum":["s","ms"]}}])";

}  // namespace

TEST_CASE("description: a description with a fault is refused, and the error names its place") {
  struct Case {
    std::string text, says;
  };
  const Case kCases[] = {
      {"", ": expected a value"},
      {"{} {}", ": expected the end after the value"},
      {"[]", ": expected an object"},
      {R"({"name":"x"})", "/name: unknown member"},
      {R"({"params":[],"summary":"x","params":[]})", "/params: found twice"},
      {R"({"summary":7})", "/summary: expected some text"},
      {R"({"paramStructure":"by-luck"})", "/paramStructure: expected by-name"},
      {R"({"params":{}})", "/params: expected an array"},
      {R"({"params":[{"schema":{}}]})", "/params/0: expected a member name, found none"},
      {R"({"params":[{"name":"a"}]})", "/params/0: expected a member schema, found none"},
      {R"({"params":[{"name":"a","schema":{},"type":"x"}]})", "/params/0/type: unknown member"},
      {R"({"params":[{"name":"a","schema":{"type":"int"}}]})", "/params/0/schema/type: expected"},
      {R"({"params":[{"name":"a","schema":{},"required":1}]})",
       "/params/0/required: expected true"},
      {R"({"params":[{"name":"_meta","schema":{}}]})", "/params/0/name: is reserved"},
      {R"({"params":[{"name":"a","schema":{}},{"name":"a","schema":{}}]})",
       "/params/1/name: is another parameter's"},
      {R"({"params":[{"name":"a","schema":{}},{"name":"b","schema":{},"required":true}]})",
       "/params/1/required: expected required parameters before optional ones"},
      {R"({"result":{"name":"r"}})", "/result: expected a member schema"},
      {R"({"examples":[{"name":"e","params":[]}]})", "/examples/0: expected a member result"},
      {R"({"examples":[{"name":"e","params":[{"name":"a"}],"result":{}}]})",
       "/examples/0/params/0: expected a member value"},
      {R"({"summary":"\ud800"})", ": expected JSON at byte"},
      {R"({"summary":")" + std::string(RINGMASTER_DESCRIPTION_BYTES_MAX, 'x') + "\"}",
       ": expected at most 61440 bytes, found 61454"},
      {R"({"result":{"name":"r","schema":{"default":)" + std::string(62, '[') +
           std::string(62, ']') + "}}}",
       ": expected at most 64 levels of nesting, found 65"},
  };
  for (const Case& c : kCases) {
    CAPTURE(c.text.substr(0, 100));
    CAPTURE(fault_of(c.text));
    CHECK(fault_of(c.text).starts_with(c.says));
  }
}

TEST_CASE("description: params fit by name and by position, or the error says why not") {
  struct Case {
    std::string params, says;
  };
  const Case kCases[] = {
      {R"({"n":1})", "fits"},
      {R"({"n":1,"unit":"ms","more":[]})", "fits"},
      {R"({"n":1,"_meta":{"timeout_ms":5,"traceparent":"00-"}})", "fits"},
      {"[1]", "fits"},
      {R"([1,"s"])", "fits"},
      {"", "params: expected n (required), found no such member"},
      {"{}", "params: expected n (required), found no such member"},
      {R"({"n":"1"})", R"(params/n: expected type integer, found "1")"},
      {R"({"n":1,"unit":"h"})", R"(params/unit: expected enum ["s","ms"], found "h")"},
      {R"([true])", "params/0: expected type integer, found true"},
      {"[]", "params: expected minItems 1, found an array of 0 elements; in their order: n, unit"},
      {"[1,\"s\",2]",
       "params: expected maxItems 2, found an array of 3 elements; in their order: n, unit"},
  };
  for (const Case& c : kCases) {
    CAPTURE(c.params);
    CHECK(judge(kTwo, c.params) == c.says);
  }
}

TEST_CASE("description: params need no parameter that an earlier step fills") {
  const std::string members =
      R"("params":[{"name":"a","required":true,"schema":{"type":"integer"}},)"
      R"({"name":"b","required":true,"schema":{}},{"name":"c","required":true,"schema":{}}])";
  CHECK(judge(members, R"({"b":1})", {"a", "c"}) == "fits");
  CHECK(judge(members, R"({"b":1,"a":"x"})", {"a", "c"}).starts_with("params/a: expected type"));
  CHECK(judge(members, "{}", {"a", "d"}).starts_with("params: expected b (required)"));
  CHECK(judge(members, "[1,2]", {"c"}) == "fits");
  CHECK(judge(members, "[]", {"a", "b", "c"}) == "fits");
  CHECK(judge(members, "[1,2]", {"b"}).starts_with("params: expected minItems 3"));
}

TEST_CASE("description: a value that fits by its first character is not read") {
  // RapidJSON would refuse each value.
  const std::string members =
      R"("params":[{"name":"n","required":true,"schema":{"type":"integer"}},)"
      R"({"name":"any","schema":{}},{"name":"list","schema":{"type":"array"}},)"
      R"({"name":"map","schema":{"type":"object","additionalProperties":{}}},)"
      R"({"name":"maybe","schema":{"anyOf":[{"type":"array","items":{}},{"type":"null"}]}}])";
  for (const char* params :
       {R"({"n":1,"any":"\ud800"})", R"({"n":1,"any":[1e400]})", R"({"n":1,"list":["\ud800"]})",
        R"({"n":1,"map":{"a":1e400}})", R"({"n":1,"maybe":[1e400]})", R"({"n":1,"maybe":null})",
        R"({"n":1,"more":"\ud800"})", R"([1,1e400,[1e400]])", R"({"\ud800":1,"n":1})"}) {
    CAPTURE(params);
    CHECK(judge(members, params) == "fits");
  }
  for (const char* params : {R"({"n":1e400})", R"({"n":1,"list":{}})", R"({"n":1,"map":[]})",
                             R"({"n":1,"maybe":{}})", R"({"n":1,"list":"x"})", R"([1,1,{}])"}) {
    CAPTURE(params);
    CHECK(judge(members, params) != "fits");
  }
}

TEST_CASE("description: a key with escapes names the same parameter") {
  CHECK(judge(kTwo, R"({"\u006e":1})") == "fits");
  CHECK(judge(kTwo, R"({"\u006e":"1"})") == R"(params/n: expected type integer, found "1")");
}

TEST_CASE("description: the values of equal keys are all checked") {
  CHECK(judge(kTwo, R"({"n":1,"n":"1"})") == R"(params/n: expected type integer, found "1")");
  CHECK(judge(kTwo, R"({"n":"1","n":1})") == R"(params/n: expected type integer, found "1")");
}

TEST_CASE("description: paramStructure decides whether params may be an object or an array") {
  const std::string by_name = kTwo + R"(,"paramStructure":"by-name")";
  const std::string by_position = kTwo + R"(,"paramStructure":"by-position")";
  CHECK(judge(by_name, R"({"n":1})") == "fits");
  CHECK(judge(by_name, "[1]") == R"(params: expected type ["object"], found an array)");
  CHECK(judge(by_position, "[1]") == "fits");
  CHECK(judge(by_position, R"({"n":1})") == R"(params: expected type ["array"], found an object)");
  CHECK(judge(by_position, "").find("in their order: n, unit") != std::string::npos);
}

TEST_CASE("description: without constraints nothing is checked") {
  for (const char* members : {"", R"("params":[])", R"("summary":"x","paramStructure":"by-name")",
                              R"("params":[{"name":"a","schema":{"description":"anything"}}])"}) {
    CAPTURE(members);
    for (const char* params : {"", "{}", "[1,2,3]", R"({"a":"\ud800"})", "[1e400]"})
      CHECK(judge(members, params) == "fits");
  }
}

TEST_CASE(
    "description: the handler interests has a valid description, which names "
    "every category") {
  const std::string text = interests::kDescription;
  CHECK(fault_of(text) == "");
  for (const std::string_view category : kCategories) {
    const std::string quoted = '"' + std::string(category) + '"';
    size_t count = 0;
    for (size_t at = 0; (at = text.find(quoted, at)) != std::string::npos; ++at)
      ++count;
    CAPTURE(category);
    CHECK(count >= 3);  // in the params, in the result, in the example
  }
}

}  // namespace ringmaster::worker
