#include "upstream/body_template.h"

#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/scan.h"

namespace json = ringmaster::json;
using ringmaster::upstream::BodyTemplate;

namespace {

tl::expected<std::string, std::string> render(const BodyTemplate& body, std::string_view params) {
  std::vector<std::string_view> values(body.names().size());
  json::find_members(params, body.names(), values);
  return body.render(values);
}

}  // namespace

TEST_CASE("body_template: no template, no body") {
  CHECK(BodyTemplate().is_empty());
  CHECK(render(BodyTemplate(), "{}") == "");
  CHECK(!BodyTemplate("{}").is_empty());
}

TEST_CASE("body_template: parameters are copied as the client wrote them") {
  struct Case {
    std::string_view json, params, body;
  };
  const Case kCases[] = {
      {R"({"user_id": "$params.user_id"})", R"({"user_id": 42})", R"({"user_id":42})"},
      {R"({"id":"$params.a","again":"$params.a"})", R"({"a":"\u00e9\ud800"})",
       R"({"id":"\u00e9\ud800","again":"\u00e9\ud800"})"},
      {R"("$params.a")", R"({"a":{ "b" : [1e400] }})", R"({ "b" : [1e400] })"},
      {R"(["$params.user.id", "$params.user"])", R"({"user":{"id":null}})",
       R"([null,{"id":null}])"},
      {R"({"$params.a":"x $params.a","n":[1, true]})", "{}",
       R"({"$params.a":"x $params.a","n":[1,true]})"},
      {" { \"a b\" : \"c \\\" d\" ,\n \"e\\\\\" : \"$params.e\" } ", R"({"e":0})",
       R"({"a b":"c \" d","e\\":0})"},
      {R"({"a":"\u0024params.a"})", R"({"a":1})", R"({"a":1})"},
      {R"({"a":"$params"})", "", R"({"a":"$params"})"},
      {R"({"big":1e400,"s":"\ud800","a":"$params.a"})", R"({"a":1})",
       R"({"big":1e400,"s":"\ud800","a":1})"},
      {"17", "", "17"},
  };
  for (const Case& c : kCases) {
    CAPTURE(c.json);
    const auto body = render(BodyTemplate(c.json), c.params);
    REQUIRE(body);
    CHECK(*body == c.body);
  }
}

TEST_CASE("body_template: a missing parameter is named") {
  const BodyTemplate body(R"({"a":"$params.a","b":"$params.user.id"})");
  CHECK(render(body, R"({"a":1})").error() == "user.id");
  CHECK(render(body, R"({"a":1,"user":7})").error() == "user.id");
  CHECK(render(body, R"({"user":{"id":7}})").error() == "a");
  CHECK(render(body, "").error() == "a");
  CHECK(render(body, "[1]").error() == "a");
  CHECK(render(body, R"({"user":{"id":7},"a":"x"})") == R"({"a":"x","b":7})");
}

TEST_CASE("body_template: its source renders as it does") {
  const BodyTemplate body(R"({ "a b": "$params.a", "c": [ "x", "$params.user.id" ] })");
  CHECK(body.source() == R"({"a b":"$params.a","c":["x","$params.user.id"]})");
  CHECK(BodyTemplate().source() == "");
}
