// Whole messages, and what is answered. tests/e2e/support/vectors.py has the contract's messages.
#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "json_rpc_support.h"
#include "rpc/envelope.h"

using namespace ringmaster::rpc;

TEST_CASE("json_rpc: JSON that RapidJSON refuses is served as written") {
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

TEST_CASE("json_rpc: a batch with too many items that are no requests is one error") {
  const std::string request = R"({"jsonrpc":"2.0","method":"a","id":1})";
  for (const std::string item : {"1", "{}", "[]", R"({"id":7})", R"({"result":1})"}) {
    CAPTURE(item);
    std::string text = '[' + request;
    for (size_t i = 0; i < kMaxInvalidItems; ++i)
      text += ',' + item;
    const Message most = parse(text + ',' + request + ']', 1000);
    CHECK(most.is_batch);
    CHECK(most.requests.size() == kMaxInvalidItems + 2);
    const Message more = parse(text + ',' + item + ',' + request + ']', 1000);
    CHECK(!more.is_batch);
    REQUIRE(more.requests.size() == 1);
    CHECK(code_of(more.requests[0]) == kInvalidRequest);
    CHECK(more.requests[0].error->limit == kMaxInvalidItems);
    CHECK(more.requests[0].id.empty());
  }
  std::string junk = "[1";
  while (junk.size() < 2000)
    junk += ",1";
  const Message message = parse(junk + ']', 1000);
  std::string answers;
  for (const Request& one : message.requests)
    append_error(answers, Version::k2, one.id, *one.error);
  CHECK(answers.size() < 500);
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

TEST_CASE("json_rpc: params._meta.traceparent is taken where it is valid") {
  const std::string valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto with = [](const std::string& value) {
    const Request request =
        parse_one(R"({"jsonrpc":"2.0","method":"m","id":1,"params":{"_meta":{"traceparent":)" +
                  value + "}}}");
    CHECK(!request.error);
    return std::string(request.traceparent);
  };
  CHECK(with('"' + valid + '"') == valid);
  CHECK(with("\"\\u0030" + valid.substr(1) + '"').empty());
  for (const char* invalid : {"\"00\"", "7", "null", "{}", "\"\""})
    CHECK(with(invalid).empty());
}

TEST_CASE("json_rpc: the wanted members of a method's params are found") {
  const Wanted wanted{{"f", {"a", "b.c", "a"}}};
  const std::string text =
      R"([{"jsonrpc":"2.0","params":{"x":0,"b":{"c":[ 1 ]},"a":"2"},"id":1,"method":"f"},)"
      R"({"jsonrpc":"2.0","method":"f","params":{"b":{"d":1},"a":null}},)"
      R"({"method":"f","params":[{"a":3}],"id":1},{"jsonrpc":"2.0","method":"f","id":1},)"
      R"({"jsonrpc":"2.0","method":"g","params":{"a":1},"id":1},)"
      R"({"jsonrpc":"2.0","method":"f","params":7,"id":1}])";
  const Message batch = parse(text, kBatchItems, wanted);
  using Found = std::vector<std::string_view>;
  REQUIRE(batch.requests.size() == 6);
  CHECK(batch.requests[0].found == Found{R"("2")", "[ 1 ]", R"("2")"});
  CHECK(batch.requests[1].found == Found{"null", "", "null"});
  CHECK(batch.requests[2].found == Found{"3", "", "3"});
  CHECK(batch.requests[3].found == Found{"", "", ""});
  CHECK(batch.requests[4].found.empty());
  CHECK(batch.requests[5].error);
  const std::string_view params = batch.requests[0].params;
  CHECK(batch.requests[0].found[0].data() == params.data() + params.find(R"("2")"));
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
  const Request beside =
      parse_one(R"({"jsonrpc":"2.0","method":"m","id":1,"x":{"_meta":{"timeout_ms":5}}})");
  CHECK(!beside.timeout_ms);
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
  error.details = "{\n\"of\":1\r}";
  out.clear();
  append_error(out, Version::k2, "\"a\"", error);
  CHECK(out ==
        R"({"jsonrpc":"2.0","id":"a","error":{"code":-32009,"message":"full","data":)"
        R"({"reason":"queue_full","retryable":true,"retry_after_ms":40,"executed":"unknown",)"
        R"("limit":10000,"details":{ "of":1 }}}})");
}

TEST_CASE("json_rpc: a result is one line") {
  std::string out = "{}\n";
  append_result(out, Version::k2, "1", "{\r\n \"a\":\n\"\\n\"\n}");
  CHECK(out == "{}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{   \"a\": \"\\n\" }}");
}

TEST_CASE("json_rpc: params._meta asks for a cost and a quote") {
  const auto asked = [](const std::string& meta) {
    const std::string text =
        R"({"jsonrpc":"2.0","method":"m","id":1,"params":{"_meta":)" + meta + "}}";
    const Message message = parse(text, 10);
    REQUIRE(message.requests.size() == 1);
    const Request& request = message.requests[0];
    return std::tuple(request.asks_cost, request.asks_quote, request.error.has_value());
  };
  CHECK(asked(R"({"cost":true})") == std::tuple(true, false, false));
  CHECK(asked(R"({"cost":true,"quote":true,"timeout_ms":5})") == std::tuple(true, true, false));
  CHECK(asked(R"({"cost":false,"quotes":true})") == std::tuple(false, false, false));
  CHECK(asked(R"({"deeper":{"cost":true}})") == std::tuple(false, false, false));
  CHECK(asked(R"({"quote":1})") == std::tuple(false, false, true));
}

TEST_CASE("json_rpc: _meta stands beside the result and the error, not in version 1") {
  const auto text = [](Version version, bool is_result) {
    std::string out;
    if (is_result) append_result(out, version, "1", "2", "{}");
    if (!is_result) append_error(out, version, "1", {}, "{}");
    return out;
  };
  CHECK(text(Version::k2, true) == R"({"jsonrpc":"2.0","id":1,"result":2,"_meta":{}})");
  CHECK(text(Version::k2, false).ends_with(R"("executed":false}},"_meta":{}})"));
  CHECK(text(Version::k1, true) == R"({"id":1,"result":2,"error":null})");
  CHECK(text(Version::k1, false).ends_with(R"("error":""})"));
}
