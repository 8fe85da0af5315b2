#include "upstream/request_template.h"

#include <doctest/doctest.h>
#include <string>
#include <string_view>

#include "request_support.h"

namespace ringmaster::upstream {
namespace {

using test::kScope;
using test::render;
using test::with_body;

// The fault of this text in its place; empty: none.
std::string fault_of(std::string_view text, Template::Place place, const Scope& scope = kScope) {
  RequestTemplate request;
  switch (place) {
    case Template::Place::kBody:
      return request.set_body(json::quote(text), scope).value_or("");
    case Template::Place::kPath:
      return request.set_path(text, scope).value_or("");
    case Template::Place::kQuery:
      return request.add_query("q", text, scope).value_or("");
    case Template::Place::kHeader:
      return request.add_header("X-A", text, scope).value_or("");
  }
  return "";
}

std::string with_path(std::string_view path, std::string_view params) {
  RequestTemplate request;
  REQUIRE(!request.set_path(path, kScope));
  const auto made = render(request, params);
  return made ? made->target : "refused: " + made.error().message;
}

std::string with_header(std::string_view value, std::string_view params) {
  RequestTemplate request;
  REQUIRE(!request.add_header("X-A", value, kScope));
  const auto made = render(request, params);
  if (!made) return "refused: " + made.error().message;
  return request.constant_headers().empty() ? made->headers.at(0)
                                            : request.constant_headers().at(0);
}

}  // namespace

TEST_CASE("template: in a body, a value alone in a string keeps its type") {
  struct Case {
    std::string_view json, params, body;
  };
  const Case kCases[] = {
      {R"({"user_id": "${params.user_id}"})", R"({"user_id": 42})", R"({"user_id":42})"},
      {R"({"id":"${params.a}","again":"${params.a}"})", R"({"a":"\u00e9\ud800"})",
       R"({"id":"\u00e9\ud800","again":"\u00e9\ud800"})"},
      {R"("${params.a}")", R"({"a":{ "b" : [1e400] }})", R"({ "b" : [1e400] })"},
      {R"(["${params.user.id}", "${params.user}"])", R"({"user":{"id":null}})",
       R"([null,{"id":null}])"},
      {R"("${params.0.a}")", R"([{"a":[1]}, 2])", "[1]"},
      {R"("${params.a.1.b.0}")", R"({"a":[{"b":[7]},{"b":[8,9]}]})", "8"},
      {R"({"${params.a}":"x ${params.a}$$","n":[1, true]})", R"({"a":1.50})",
       R"({"${params.a}":"x 1.50$","n":[1,true]})"},
      {R"("\"${params.a}\"")", R"({"a":"\"\\\n"})", R"("\"\"\\\n\"")"},
      {R"("${params.a}${params.b}")", R"({"a":true,"b":"x"})", R"("truex")"},
      {" { \"a b\" : \"c \\\" d\" ,\n \"e\\\\\" : \"${params.e}\" } ", R"({"e":0})",
       R"({"a b":"c \" d","e\\":0})"},
      {R"({"a":"\u0024{params.a}"})", R"({"a":1})", R"({"a":"\u0024{params.a}"})"},
      {R"({"big":1e400,"s":"\ud800","a":"${params.a}"})", R"({"a":1})",
       R"({"big":1e400,"s":"\ud800","a":1})"},
      {R"(["${params.n:10}","${params.n:ten}","${params.n:}"])", "{}", R"([10,"ten",""])"},
      {R"(["${params.n:\"10\"}","${params.n:[]}"])", "{}", R"(["10",[]])"},
      {R"(["${params.n:10}","n=${params.n:10}"])", R"({"n":null})", R"([null,"n=10"])"},
      {R"({"key":"${secret.key}"})", "", R"({"key":"s3cret \"quoted\""})"},
      {"17", "", "17"},
  };
  for (const Case& c : kCases) {
    CAPTURE(c.json);
    const auto made = render(with_body(c.json), c.params);
    REQUIRE(made);
    CHECK(made->body == c.body);
  }
}

TEST_CASE("template: a value that is missing or of another kind is named") {
  const RequestTemplate request =
      with_body(R"({"a":"${params.a}","b":"${params.user.id}","c":"c ${params.a}"})");
  const auto name_of = [&](std::string_view params) {
    const auto made = render(request, params);
    REQUIRE(!made);
    return request.references()[made.error().reference.value()].path +
           (made.error().is_missing ? "" : ": " + made.error().message);
  };
  CHECK(name_of(R"({"a":1})") == "user.id");
  CHECK(name_of(R"({"a":1,"user":7})") == "user.id");
  CHECK(name_of(R"({"user":{"id":7}})") == "a");
  CHECK(name_of("") == "a");
  CHECK(name_of("[1]") == "a");
  CHECK(name_of(R"({"a":[],"user":{"id":7}})") ==
        "a: a string, a number or a boolean, found an array");
  CHECK(render(request, R"({"user":{"id":7},"a":"x"})")->body == R"({"a":"x","b":7,"c":"c x"})");
}

TEST_CASE("template: no value leads out of its place in a path") {
  CHECK(with_path("/users/${params.id}/a", R"({"id":"a/b?c#d%\u00e9 .."})") ==
        "/users/a%2Fb%3Fc%23d%25%C3%A9%20../a");
  CHECK(with_path("/${params.id:7}", "{}") == "/7");
  for (const char* const id : {R"("")", R"(".")", R"("..")"}) {
    CAPTURE(id);
    const std::string params = "{\"id\":" + std::string(id) + "}";
    CHECK(with_path("/users/${params.id}", params).starts_with("refused: a part of a path"));
  }
  CHECK(with_path("/users/.${params.id}", R"({"id":".."})").starts_with("refused"));
  CHECK(with_path("/users/.${params.id}/x", R"({"id":"a"})") == "/users/.a/x");
  for (const char* const path :
       {"/%", "/%2", "/%zz", "/%2e%2E/a", "/a%2Fb", "/a%5c", "/%2${params.a}", "users", "", "/a b",
        "/a?b", "/a#b", "/a/../b", "/.", "/a\\b"}) {
    CAPTURE(path);
    CHECK(fault_of(path, Template::Place::kPath).starts_with("expected a path"));
  }
}

TEST_CASE("template: a query is percent-encoded, and a header is one line") {
  RequestTemplate request;
  REQUIRE(!request.set_path("/x", kScope));
  REQUIRE(!request.add_query("f&g", "${params.f:all}", kScope));
  REQUIRE(!request.add_query("n", "1 ${params.n}", kScope));
  CHECK(render(request, R"({"n":"=&\n"})")->target == "/x?f%26g=all&n=1%20%3D%26%0A");
  CHECK(with_header("a ${params.a}", R"({"a":"\u00e9"})") == "X-A: a \u00e9");
  CHECK(with_header("Bearer ${secret.key}", "{}") == "X-A: Bearer s3cret \"quoted\"");
  for (const char* const value : {R"("a\r\nB: c")", R"("a\u0000")", R"("\u007f")", R"("\ud800")"}) {
    CAPTURE(value);
    CHECK(with_header("a${params.a}", "{\"a\":" + std::string(value) + "}").starts_with("refused"));
  }
}

TEST_CASE("template: the head and the body of a request are bounded") {
  RequestTemplate request = with_body(R"(["${params.a}","${params.a}"])");
  REQUIRE(!request.add_query("q", "${params.b}", kScope));
  const auto fault_with = [&](size_t a_bytes, size_t b_bytes) {
    const auto made = render(request, "{\"a\":\"" + std::string(a_bytes, 'a') + "\",\"b\":\"" +
                                          std::string(b_bytes, '/') + "\"}");
    if (made) return std::string();
    const auto& [reference, is_missing, message] = made.error();
    return (reference ? request.references()[*reference].path + ": " : "") + message;
  };
  CHECK(fault_with(1, 16'000) == "");
  CHECK(fault_with(1, 17'000).starts_with("b: at most 16384 bytes, found 17002"));
  CHECK(fault_with(40 << 20, 1).starts_with("a body of at most 67108864 bytes"));
  for (int i = 0; i < 4; ++i)
    REQUIRE(!request.add_query("q", "${params.b}", kScope));
  CHECK(fault_with(1, 16'000).starts_with("at most 65536 bytes of path, query and headers"));
}

TEST_CASE("template: an empty header is sent") {
  CHECK(with_header("", "{}") == "X-A;");
  CHECK(with_header("${params.a}", R"({"a":" "})") == "X-A;");
}

TEST_CASE("template: headers are checked, and none has two values") {
  RequestTemplate request;
  REQUIRE(!request.add_header("Accept", "text/csv", kScope));
  CHECK(request.add_header("ACCEPT", "application/json", kScope) == "found twice");
  CHECK(request.constant_headers() == std::vector<std::string>{"Accept: text/csv"});
  for (const char* const name : {"", "a b", "a:", "\xc3\xa9"})
    CHECK(request.add_header(name, "x", kScope)->starts_with("expected a header's name"));
  for (const char* const name : {"Host", "content-length", "Transfer-Encoding", "traceparent"})
    CHECK(request.add_header(name, "x", kScope) == "the server sets this header itself");
  CHECK(request.add_header("X", "a\nb", kScope)->starts_with("expected a header's value"));
}

TEST_CASE("template: an invalid reference is refused, and the error suggests the nearest name") {
  using Place = Template::Place;
  CHECK(fault_of("$params.user_id", Place::kBody) ==
        "expected ${NAME}, or $$ for a dollar, found \"$params.user_id\"; did you mean "
        "${params.user_id}?");
  CHECK(fault_of("1 $", Place::kQuery).starts_with("expected ${NAME}, or $$"));
  CHECK(fault_of("${params.a", Place::kQuery).starts_with("expected ${NAME}, or $$"));
  CHECK(fault_of("${user.id}", Place::kQuery) ==
        "unknown source or earlier step \"user\"; did you mean users?");
  CHECK(fault_of("${params..a}", Place::kBody).starts_with("expected names with dots"));
  CHECK(fault_of("${params.}", Place::kBody).starts_with("expected names with dots"));
  CHECK(fault_of("${}", Place::kBody) != "");
  CHECK(fault_of("${secret.kay}", Place::kHeader) == "unknown secret \"kay\"; did you mean key?");
  CHECK(fault_of("${secret.key}", Place::kQuery).starts_with("the secret key belongs into"));
  CHECK(fault_of("/${secret.key}", Place::kPath).starts_with("the secret key belongs into"));
  CHECK(fault_of("${request.idd}", Place::kHeader) ==
        "expected ${request.id} or ${request.traceparent}");
  for (const char* const text : {"${params.a:{}}", "${params.a:{\"b\":1}}", "${params.a:[{}]}"}) {
    CAPTURE(text);
    CHECK(fault_of(text, Place::kBody).starts_with("expected a default without \"{\""));
  }
  CHECK(fault_of("${client.nam}", Place::kHeader) == "expected ${client.name}");
  CHECK(fault_of("${user_id}", Place::kHeader) ==
        "unknown source or earlier step \"user_id\"; a parameter is ${params.NAME}");
  CHECK(fault_of("/$params.user_id/x", Place::kPath).ends_with("did you mean ${params.user_id}?"));
  for (const char* const good :
       {"${params}", "${users}", "${users.a.0}", "${prices.eu}", "${prices.eu.a}", "${request.id}",
        "${client.name}", "$$", "${params.a:}"})
    CHECK(fault_of(good, Place::kHeader) == "");
  const Scope upstream{{}, &test::kSecrets, false};
  CHECK(fault_of("${params.a}", Place::kHeader, upstream)
            .starts_with("params and steps differ by method"));
  CHECK(fault_of("${client.name}", Place::kHeader, upstream) == "");
}

TEST_CASE(
    "template: of the steps that fit a reference, the longest name counts, then the latest "
    "step") {
  const std::vector<std::string> steps = {"a", "a.b", "a", "c"};
  const Scope scope{steps, &test::kSecrets};
  RequestTemplate request;
  REQUIRE(!request.add_query("q", "${a.b.c}${a.c}${c}", scope));
  REQUIRE(request.references().size() == 3);
  CHECK(request.references()[0].step == 1);
  CHECK(request.references()[0].path == "c");
  CHECK(request.references()[1].step == 2);
  CHECK(request.references()[2].path.empty());
}

TEST_CASE("template: with a body the method is POST by default, else GET") {
  CHECK(RequestTemplate().method() == "GET");
  CHECK(with_body("{}").method() == "POST");
  RequestTemplate request = with_body("{}");
  request.set_method("PUT");
  CHECK(request.method() == "PUT");
}

}  // namespace ringmaster::upstream
