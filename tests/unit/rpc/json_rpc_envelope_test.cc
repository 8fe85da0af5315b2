// One request object: its parts, its id, and every way in which it is invalid.
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
