// One request object: its parts, its id, and every way in which it is none.
#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <vector>

#include "json_rpc_support.h"

namespace json = ringmaster::json;
using namespace ringmaster::rpc;

TEST_CASE("json_rpc: a request's parts are where they stand in the message") {
  const std::string text =
      "{ \"params\" : { \"a\": [1] } "
      ",\"id\":\t7.50e1,\"extra\":[{}],\"m\\u0065thod\":\"a\\u002eb\\n\","
      "\"jsonrpc\":\"2.0\" }\r\n";
  const Request request = parse(text, kBatchItems).requests.at(0);
  CHECK(!request.error);
  CHECK(request.method == "a.b\n");
  CHECK(request.params == "{ \"a\": [1] }");
  CHECK(request.params.data() == text.data() + text.find("{ \"a\""));
  CHECK(request.id == "7.50e1");
  CHECK(request.version == Version::k2);
  CHECK(!request.is_notification());
  CHECK(!request.timeout_ms);
}

TEST_CASE("json_rpc: an id comes back byte for byte") {
  const std::string largest = "\"" + std::string(254, 'x') + "\"";
  const std::string kIds[] = {"0",
                              "-0",
                              "1.0",
                              "1e400",
                              "12345678901234567890123456789",
                              "null",
                              "\"\"",
                              R"("\u0041\/\ud800")",
                              "\"\xE2\x82\xAC\"",
                              "1E-5",
                              largest};
  for (const std::string& id : kIds) {
    CAPTURE(id);
    const Request request = parse_one(R"({"jsonrpc":"2.0","method":"m","id": )" + id + " }");
    CHECK(!request.error);
    CHECK(!request.is_notification());
    CHECK(request.id == id);
    std::string out;
    append_result(out, request.version, request.id, "1");
    CHECK(out == R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":1})");
  }
}

TEST_CASE("json_rpc: what is no id is refused, with the id null") {
  const std::string too_long = "\"" + std::string(255, 'x') + "\"";
  for (const std::string& id : {std::string("true"), std::string("false"), std::string("{}"),
                                std::string("[1]"), too_long, std::string(257, '1')}) {
    CAPTURE(id);
    const Request request = parse_one(R"({"jsonrpc":"2.0","method":"m","id":)" + id + "}");
    CHECK(code_of(request) == kInvalidRequest);
    CHECK(request.id.empty());
    CHECK(!request.is_notification());
  }
}

TEST_CASE("json_rpc: bad envelopes are refused, with the id where it is known") {
  struct Case {
    std::string_view text, id, found;
  };
  const Case kCases[] = {
      {R"({"jsonrpc":"2.0","method":"m","id":1,"id":1})", "", "\"id\""},
      {R"({"jsonrpc":"2.0","method":"m","id":1,"i\u0064":2,"method":"m"})", "", "\"id\""},
      {R"({"jsonrpc":"2.0","method":"m","method":"m","id":1})", "1", "\"method\""},
      {R"({"jsonrpc":"2.0","method":"m","\u006dethod":"m","id":1})", "1", "\"method\""},
      {R"({"jsonrpc":"2.0","jsonrpc":"2.0","method":"m","id":1})", "1", "\"jsonrpc\""},
      {R"({"jsonrpc":"2.0","method":"m","params":null,"params":[],"id":1})", "1", "\"params\""},
      {R"({"jsonrpc":"2.0","method":"m","x":1,"y":1,"\u0078":1,"id":1})", "1", "found one twice"},
      {R"({"jsonrpc":"2.0","method":"m","params":7,"id":1})", "1", "found 7"},
      {R"({"jsonrpc":"2.0","method":"m","params":"x","id":1})", "1", "found \"x\""},
      {R"({"jsonrpc":"2.0","method":"m","params":false,"id":1})", "1", "found false"},
      {R"({"jsonrpc":"2.0","method":"m","params":false})", "", "found false"},
      {R"({"method":"m","id":1})", "1", "found none"},
      {R"({"method":"m","params":[1,2],"id":1})", "1", "found none"},
      {R"({"method":"m","params":{"a":1},"id":1})", "1", "found none"},
      {R"({"method":"m","params":[1]})", "", "found none"},
      {R"({"jsonrpc":"1.0","method":"m","params":[1],"id":1})", "1", "found \"1.0\""},
      {R"({"jsonrpc":2.0,"method":"m","id":1})", "1", "found 2.0"},
      {R"({"jsonrpc":null,"method":"m","params":[1],"id":1})", "1", "found null"},
      {R"({"jsonrpc":["2.0"],"method":"m","id":1})", "1", "found an array"},
      {R"({"jsonrpc":"2.0","id":1})", "1", "\"method\", found none"},
      {R"({"jsonrpc":"2.0","method":null,"id":"a"})", "\"a\"", "found null"},
      {R"({"jsonrpc":"2.0","method":{"method":"m"},"id":1})", "1", "found an object"},
      {R"({})", "", "found none"},
      {R"(7)", "", "found a number"},
      {R"("{}")", "", "found a string"},
      {R"(null)", "", "found null"},
  };
  for (const Case& c : kCases) {
    CAPTURE(c.text);
    const Request request = parse_one(c.text);
    CHECK(code_of(request) == kInvalidRequest);
    CHECK(request.id == c.id);
    CHECK(!request.is_notification());
    REQUIRE(request.error);
    CHECK(request.error->reason == "invalid_request");
    CHECK(request.error->message.find("expected") != std::string::npos);
    CHECK_MESSAGE(request.error->message.find(c.found) != std::string::npos,
                  request.error->message);
  }
}

TEST_CASE("json_rpc: keys below the envelope are not its keys") {
  const Request request = parse_one(
      R"({"jsonrpc":"2.0","params":{"id":2,"id":3,"method":"n","jsonrpc":"1","params":[]},)"
      R"("x":{"id":4,"method":5},"y":[{"id":6}],"method":"m","id":1})");
  CHECK(!request.error);
  CHECK(request.id == "1");
  CHECK(request.method == "m");
}

TEST_CASE("json_rpc: an envelope of very many unknown members is refused") {
  std::string members;
  for (size_t i = 0; i < 64; ++i)
    members += R"(,"x)" + std::to_string(i) + R"(":0)";
  const std::string head = R"({"jsonrpc":"2.0","method":"m","id":1)";
  CHECK(code_of(parse_one(head + members + "}")) == 0);
  CHECK(code_of(parse_one(head + members + R"(,"x63":0})")) == kInvalidRequest);
  CHECK(code_of(parse_one(head + members + R"(,"z":0})")) == kInvalidRequest);
}

TEST_CASE("json_rpc: params that are null are absent") {
  const Request request = parse_one(R"({"jsonrpc":"2.0","method":"m","params":null,"id":1})");
  CHECK(!request.error);
  CHECK(request.params.empty());
  CHECK(parse_one(R"({"jsonrpc":"2.0","method":"m","params":[],"id":1})").params == "[]");
}

TEST_CASE("json_rpc: requests of Go's net/rpc are served in their own style") {
  const Request request =
      parse_one(R"({"method":"Arith.Add","params":[{"A":1,"B":[2,3]}],"id":0})");
  CHECK(!request.error);
  CHECK(request.version == Version::k1);
  CHECK(request.method == "Arith.Add");
  CHECK(request.params == R"({"A":1,"B":[2,3]})");  // Go has no other way to name them
  std::string out;
  append_result(out, request.version, request.id, "{\"C\":3}");
  CHECK(out == R"({"id":0,"result":{"C":3},"error":null})");
  out.clear();
  Error error;
  error.message = "no \"such\" method";
  append_error(out, request.version, request.id, error);
  CHECK(out == R"({"id":0,"result":null,"error":"no \"such\" method"})");
  CHECK(code_of(parse_one(R"({"method":"m","params":[[1,2]],"id":1})")) == 0);
  CHECK(code_of(parse_one(R"({"method":"m","params":[],"id":1})")) == kInvalidRequest);
}

TEST_CASE("json_rpc: responses are refused once, and no exchange is endless") {
  for (const std::string_view text :
       {R"({"jsonrpc":"2.0","result":1,"id":1})", R"({"jsonrpc":"2.0","result":null,"id":null})",
        R"({"jsonrpc":"2.0","error":{"code":1,"message":"x"},"id":"a"})",
        R"({"id":1,"result":null,"error":"x"})"}) {
    CAPTURE(text);
    const std::string first = answer(text);
    CHECK(json::find_member(first, "error.code") == "-32600");
    CHECK(json::find_member(first, "id") == "null");
    CHECK(answer(first) == "");  // as a second server would answer the first one
    CHECK(answer("[" + std::string(text) + "]") == "[" + first + "]");
    CHECK(answer("[" + first + "]") == "");
  }
  // what has a method is a request
  CHECK(code_of(parse_one(R"({"jsonrpc":"2.0","method":"m","result":1,"id":1})")) == 0);
}
