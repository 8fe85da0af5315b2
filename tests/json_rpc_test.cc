#include "rpc/json_rpc.h"

#include <doctest/doctest.h>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace json = ringmaster::json;
using namespace ringmaster::rpc;

namespace {

constexpr size_t kBatchItems = 10;

// A server of the methods in the specification's examples, small enough to be looked through.
void serve(std::string& out, const Request& request) {
  if (request.is_notification()) return;
  if (request.error) {
    append_error(out, request.version, request.id, *request.error);
  } else if (request.method == "subtract") {
    const bool swapped = request.params.find("subtrahend\": 42") != std::string_view::npos ||
                         request.params == "[23, 42]";
    append_result(out, request.version, request.id, swapped ? "-19" : "19");
  } else if (request.method == "sum") {
    append_result(out, request.version, request.id, "7");
  } else if (request.method == "get_data") {
    append_result(out, request.version, request.id, "[\"hello\", 5]");
  } else {
    Error error;
    error.code = kMethodNotFound;
    error.reason = "method_not_found";
    append_error(out, request.version, request.id, error);
  }
}

std::string answer(std::string_view text) {
  const Message message = parse(text, kBatchItems);
  std::string out;
  for (const Request& request : message.requests) {
    std::string one;
    serve(one, request);
    if (!one.empty()) out += (out.empty() ? "" : ",") + one;
  }
  return message.is_batch && !out.empty() ? "[" + out + "]" : out;
}

// The answers, each as "id:result" or "id:code", for comparison with the specification's.
std::string digest(std::string_view text) {
  const std::string out = answer(text);
  if (out.empty()) return "";
  CHECK(json::find_fault(out).value_or("") == "");
  std::string digested = out.front() == '[' ? "batch" : "single";
  const Message message = parse(text, kBatchItems);
  for (const Request& request : message.requests) {
    std::string one;
    serve(one, request);
    if (one.empty()) continue;
    CHECK(json::find_member(one, "jsonrpc") == "\"2.0\"");
    const auto code = json::find_member(one, "error.code");
    digested.append(" ").append(json::find_member(one, "id")).append(":");
    digested.append(code.empty() ? json::find_member(one, "result") : code);
  }
  return digested;
}

Request parse_one(std::string_view text) {
  static std::list<std::string> texts;  // requests point into them
  const Message message = parse(texts.emplace_back(text), kBatchItems);
  CHECK(!message.is_batch);
  REQUIRE(message.requests.size() == 1);
  return message.requests.front();
}

int32_t code_of(const Request& request) {
  return request.error ? request.error->code : 0;
}

std::string repeat(std::string_view text, size_t count) {
  std::string repeated;
  for (size_t i = 0; i < count; ++i)
    repeated += text;
  return repeated;
}

}  // namespace

TEST_CASE("json_rpc: the examples of the specification") {
  struct Example {
    std::string_view request, answers;
  };
  const Example kExamples[] = {
      {R"({"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1})", "single 1:19"},
      {R"({"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2})", "single 2:-19"},
      {R"({"jsonrpc": "2.0", "method": "subtract",
           "params": {"subtrahend": 23, "minuend": 42}, "id": 3})",
       "single 3:19"},
      {R"({"jsonrpc": "2.0", "method": "subtract",
           "params": {"minuend": 42, "subtrahend": 23}, "id": 4})",
       "single 4:19"},
      {R"({"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]})", ""},
      {R"({"jsonrpc": "2.0", "method": "foobar"})", ""},
      {R"({"jsonrpc": "2.0", "method": "foobar", "id": "1"})", "single \"1\":-32601"},
      {R"({"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz])", "single null:-32700"},
      {R"({"jsonrpc": "2.0", "method": 1, "params": "bar"})", "single null:-32600"},
      {R"([
  {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
  {"jsonrpc": "2.0", "method"
])",
       "single null:-32700"},
      {"[]", "single null:-32600"},
      {"[1]", "batch null:-32600"},
      {"[1,2,3]", "batch null:-32600 null:-32600 null:-32600"},
      {R"([
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
    ])",
       R"(batch "1":7 "2":19 null:-32600 "5":-32601 "9":["hello", 5])"},
      {R"([
        {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}
    ])",
       ""},
  };
  for (const Example& example : kExamples) {
    CAPTURE(example.request);
    CHECK(digest(example.request) == example.answers);
  }
}

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
  CHECK(request.params == R"([{"A":1,"B":[2,3]}])");
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

TEST_CASE("json_rpc: bad JSON is one parse error") {
  const std::string deep = repeat("[", 127) + repeat("]", 127);
  const std::string_view head = R"({"jsonrpc":"2.0","id":1,"method":"m","params":)";
  CHECK(code_of(parse_one(std::string(head) + deep + "}")) == 0);
  const std::string kBad[] = {
      "",
      "{",
      "\xEF\xBB\xBF{}",
      std::string(head) + "[" + deep + "]}",
      std::string(head) + "[NaN]}",
      std::string(head) + "[\"\xFF\"]}",
      std::string(head) + "[]} x",
      std::string(head) + "[]}" + std::string(1, '\0'),
      "[" + std::string(head) + "[]},]",
      repeat("[", 1'000'000),
  };
  for (const std::string& text : kBad) {
    CAPTURE(text.substr(0, 200));
    const Request request = parse_one(text);
    CHECK(code_of(request) == kParseError);
    CHECK(request.id.empty());
    CHECK(!request.is_notification());
    CHECK(request.error->reason == "parse_error");
    CHECK(request.error->message.find(" at byte ") != std::string::npos);
  }
}

TEST_CASE("json_rpc: what RapidJSON refuses though it is JSON is served as written") {
  const Request request = parse_one(R"({"jsonrpc":"2.0","method":"m","id":1e999,)"
                                    R"("params":["\ud800",1e400,"\udc00\ud83d\ude39"]})");
  CHECK(!request.error);
  CHECK(request.method == "m");
  CHECK(request.params == R"(["\ud800",1e400,"\udc00\ud83d\ude39"])");
  CHECK(request.id == "1e999");
  const Message batch = parse(
      R"([{"jsonrpc":"2.0","method":"a","id":1},{"jsonrpc":"2.0","method":"b","id":1e400},7])",
      kBatchItems);
  CHECK(batch.requests.size() == 3);  // not five: the first reading was void
}

TEST_CASE("json_rpc: a batch may hold what is configured, and one more is refused whole") {
  const std::string item = R"({"jsonrpc":"2.0","method":"m","id":1})";
  const Message full = parse("[" + repeat(item + ",", kBatchItems - 1) + item + "]", kBatchItems);
  CHECK(full.is_batch);
  CHECK(full.requests.size() == kBatchItems);
  const Request refused = parse_one("[" + repeat(item + ",", kBatchItems) + item + "]");
  REQUIRE(refused.error);
  CHECK(refused.error->code == kBatchTooLarge);
  CHECK(refused.error->reason == "batch_too_large");
  CHECK(refused.error->limit == kBatchItems);
  CHECK(refused.id.empty());
  CHECK(refused.error->message.find("found 11") != std::string::npos);
  CHECK(code_of(parse_one("[" + repeat("[],", 20) + "1]")) == kBatchTooLarge);
}

TEST_CASE("json_rpc: the items of a batch do not leak into each other") {
  const Message batch = parse(
      R"([{"jsonrpc":"2.0","method":"a","params":{"_meta":{"timeout_ms":5}},"id":1,"x":0},)"
      R"([{"id":2,"timeout_ms":-1}],{"x":0},[],)"
      R"({"jsonrpc":"2.0","method":"b"},{"jsonrpc":"2.0","params":[{"timeout_ms":"x"}],"id":3,)"
      R"("method":"c"}])",
      kBatchItems);
  CHECK(batch.is_batch);
  REQUIRE(batch.requests.size() == 6);
  CHECK(batch.requests[0].timeout_ms == 5);
  CHECK(code_of(batch.requests[1]) == kInvalidRequest);
  CHECK(batch.requests[1].id.empty());
  CHECK(code_of(batch.requests[2]) == kInvalidRequest);
  CHECK(batch.requests[2].id.empty());
  CHECK(code_of(batch.requests[3]) == kInvalidRequest);
  CHECK(batch.requests[4].is_notification());
  CHECK(batch.requests[4].method == "b");
  CHECK(batch.requests[4].params.empty());
  CHECK(batch.requests[5].id == "3");
  CHECK(!batch.requests[5].error);
  CHECK(!batch.requests[5].timeout_ms);
}

TEST_CASE("json_rpc: params._meta.timeout_ms shortens the deadline") {
  const auto with = [](const std::string& params) {
    return parse_one(R"({"jsonrpc":"2.0","method":"m","id":1,"params":)" + params + "}");
  };
  CHECK(with(R"({"_meta":{"timeout_ms":0}})").timeout_ms == 0);
  CHECK(with(R"({"_meta":{"a":[7],"timeout_ms":250,"traceparent":"x"},"b":1})").timeout_ms == 250);
  CHECK(with(R"({"_meta":{"timeout_ms":"x","timeout_ms":3}})").timeout_ms == 3);
  CHECK(with(R"({"_meta":{"timeout_ms":99999999999999999999999}})").timeout_ms == kMaxTimeoutMs);
  CHECK(with(R"({"_meta":{"timeout_ms":18446744073709551615}})").timeout_ms == kMaxTimeoutMs);
  for (const auto* elsewhere :
       {R"({"timeout_ms":-1})", R"({"meta":{"timeout_ms":-1}})",
        R"({"a":{"_meta":{"timeout_ms":-1}}})", R"([{"_meta":{"timeout_ms":-1}}])",
        R"({"_meta":{"a":{"timeout_ms":-1}}})", R"({"_meta":7})",
        R"({"_meta":[{"timeout_ms":-1}]})", R"({"_meta":{},"a":{"timeout_ms":-1}})"}) {
    CAPTURE(elsewhere);
    CHECK(!with(elsewhere).error);
    CHECK(!with(elsewhere).timeout_ms);
  }
  for (const auto* bad :
       {"-1", "-0", "1.5", "1.0", "1e3", "1e400", "\"5\"", "null", "true", "{}", "[]"}) {
    CAPTURE(bad);
    const Request request = with(R"({"_meta":{"timeout_ms":)" + std::string(bad) + "}}");
    REQUIRE(request.error);
    CHECK(request.error->code == kInvalidParams);
    CHECK(request.error->reason == "invalid_params");
    CHECK(request.error->message.find("params._meta.timeout_ms, found " + std::string(bad)) !=
          std::string::npos);
    CHECK(request.id == "1");
    CHECK(!request.timeout_ms);
  }
  // nobody is told of a notification's bad params
  CHECK(answer(R"({"jsonrpc":"2.0","method":"m","params":{"_meta":{"timeout_ms":-1}}})") == "");
}

TEST_CASE("json_rpc: an error's data says what to do") {
  Error error;
  error.code = kOverloaded;
  error.message = "expected \"room\"\n";
  error.reason = "queue_full";
  std::string out = "before ";
  append_error(out, Version::k2, "", error);
  CHECK(out == R"(before {"jsonrpc":"2.0","id":null,"error":{"code":-32009,)"
               R"("message":"expected \"room\"\n","data":{"reason":"queue_full","retryable":false,)"
               R"("executed":false}}})");
  error.message = "full";
  error.retryable = true;
  error.retry_after_ms = 40;
  error.executed = Executed::kUnknown;
  error.limit = 10000;
  out.clear();
  append_error(out, Version::k2, "\"a\"", error);
  CHECK(out ==
        R"({"jsonrpc":"2.0","id":"a","error":{"code":-32009,"message":"full","data":)"
        R"({"reason":"queue_full","retryable":true,"retry_after_ms":40,"executed":"unknown",)"
        R"("limit":10000}}})");
}

TEST_CASE("json_rpc: a result is one line") {
  std::string out = "{}\n";
  append_result(out, Version::k2, "1", "{\r\n \"a\":\n\"\\n\"\n}");
  CHECK(out == "{}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{   \"a\": \"\\n\" }}");
}
