#include "bench/codec.h"

#include <doctest/doctest.h>
#include <vector>

namespace ringmaster::bench {
namespace {

// The answers that a codec reads from these bytes, fed in pieces of `size`: "number:code" each.
std::vector<std::string> decode(Codec& codec, std::string_view bytes, size_t size) {
  std::vector<std::string> answers;
  for (size_t at = 0; at < bytes.size(); at += size) {
    REQUIRE(codec.feed(bytes.substr(at, size), [&](const Answer& answer) {
      answers.push_back(std::to_string(answer.number) + ":" + std::to_string(answer.code));
    }));
  }
  return answers;
}

}  // namespace

TEST_CASE("codec: answers of every server's style are read") {
  const auto read = [](std::string_view json) {
    const Answer answer = read_answer(json);
    return std::pair(answer.number, answer.code);
  };
  using Read = std::pair<uint64_t, int32_t>;
  CHECK(read(R"({"jsonrpc":"2.0","id":7,"result":[1]})") == Read{7, 0});
  CHECK(read(R"({"jsonrpc": "2.0", "result": {"id": 3}, "id": 7})") == Read{7, 0});
  CHECK(read(R"({"id":7,"result":1,"error":null})") == Read{7, 0});
  CHECK(read(R"({"id":7,"result":null})") == Read{7, 0});
  CHECK(read(R"({"jsonrpc":"2.0","id":7,"error":{"code":-32009,"message":"m"}})") ==
        Read{7, -32009});
  CHECK(read(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700}})") == Read{0, -32700});
  CHECK(read(R"({"id":7,"result":null,"error":"text"})").second != 0);
  CHECK(read("[]").second != 0);
  CHECK(read("no JSON").second != 0);
}

TEST_CASE("codec: lines are read in pieces of any size") {
  const std::string bytes =
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n{\"id\":2,\"error\":{\"code\":-1}}\n";
  for (size_t size = 1; size <= bytes.size(); ++size) {
    CHECK(decode(*make_line_codec(), bytes, size) == std::vector<std::string>{"1:0", "2:-1"});
  }
  CHECK(!make_line_codec()->feed("HTTP/1.1 400", [](const Answer&) {}));
}

TEST_CASE("codec: HTTP responses are read in pieces of any size, and a bad status is an error") {
  const std::string bytes =
      "HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n{\"jsonrpc\":\"2.0\",\"result\":1}"
      "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
  for (size_t size = 1; size <= bytes.size(); ++size) {
    CHECK(decode(*make_http_codec("h:1", "/"), bytes, size) ==
          std::vector<std::string>{"0:0", "0:503"});
  }
  CHECK(!make_http_codec("h:1", "/")->feed("{\"id\":1}\n\r\n", [](const Answer&) {}));
}

TEST_CASE("codec: chunked HTTP responses are read, and errors that come with status 200") {
  const std::string bytes =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "e\r\n{\"id\":7,\"resul\r\n5\r\nt\":1}\r\n0\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n{\"error\":{\"code\":-32012},\"id\":8}";
  for (size_t size = 1; size <= bytes.size(); ++size) {
    CHECK(decode(*make_http_codec("h:1", "/"), bytes, size) ==
          std::vector<std::string>{"7:0", "8:-32012"});
  }
}

TEST_CASE("codec: an HTTP response tells whether its connection takes another request") {
  const auto is_last = [](std::string_view head) {
    const std::string bytes = std::string(head) + "\r\nContent-Length: 2\r\n\r\n{}";
    bool found = false;
    REQUIRE(make_http_codec("h:1", "/")->feed(bytes, [&](const Answer& answer) {
      found = answer.is_last;
    }));
    return found;
  };
  CHECK(!is_last("HTTP/1.1 200 OK"));
  CHECK(is_last("HTTP/1.1 200 OK\r\nConnection: close"));
  CHECK(is_last("HTTP/1.0 200 OK"));
  CHECK(!is_last("HTTP/1.0 200 OK\r\nConnection: keep-alive"));
}

TEST_CASE("codec: requests are framed as their protocol wants them") {
  std::string line;
  make_line_codec()->append_request(line, "{}");
  CHECK(line == "{}\n");
  std::string http;
  make_http_codec("h:1", "/rpc", "a-token")->append_request(http, "{}");
  CHECK(http.find("\r\nAuthorization: Bearer a-token\r\n") != std::string::npos);
  http.clear();
  make_http_codec("h:1", "/rpc")->append_request(http, "{}");
  CHECK(http ==
        "POST /rpc HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/json\r\n"
        "Content-Length: 2\r\n\r\n{}");
}

}  // namespace ringmaster::bench
