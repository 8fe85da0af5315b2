#include "master/frontend/http_policy.h"

#include <doctest/doctest.h>

using namespace ringmaster;
using master::HttpVerdict;

namespace {

HttpVerdict judge(const std::string& method, const std::string& fields,
                  const std::vector<std::string>& origins = {}) {
  rpc::HttpReader reader(100);
  const std::string head = method + " / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
  size_t pos = 0;
  REQUIRE(reader.read(head, pos) == rpc::HttpReader::Event::kHead);
  const HttpVerdict verdict = master::judge_page(reader, origins);
  return verdict.status == 200 ? master::judge_request(reader, verdict) : verdict;
}

const std::string kJson = "Content-Type: application/json\r\n";

}  // namespace

TEST_CASE("http rules: JSON is posted; all else is refused with the status that says why") {
  CHECK(judge("POST", kJson).status == 200);
  CHECK(judge("POST", "").status == 415);
  CHECK(judge("POST", "Content-Type: text/plain\r\n").status == 415);
  for (const char* near :
       {"application/jsonx", "application/jso", "xapplication/json", "application/json, text/plain",
        "text/plain; application/json", "text/plain; charset=application/json", "application/json/",
        "text/json", "application/ json"}) {
    CAPTURE(near);
    CHECK(judge("POST", "Content-Type: " + std::string(near) + "\r\n").status == 415);
  }
  CHECK(judge("POST", kJson + "Content-Encoding: br\r\n").status == 415);
  CHECK(judge("POST", kJson + "Content-Encoding: identity\r\n").status == 200);
  CHECK(judge("GET", kJson).status == 405);
  CHECK(judge("OPTIONS", "").status == 405);
}

TEST_CASE("http rules: an error quotes only a short part of a request") {
  const std::string endless(8000, '\xff');
  for (const std::string& fields :
       {"Content-Type: " + endless, kJson + "Content-Encoding: " + endless, "Origin: " + endless,
        kJson + "X-Request-Timeout-Ms: " + endless}) {
    const HttpVerdict verdict = judge("POST", fields + "\r\n");
    CAPTURE(verdict.status);
    CHECK(verdict.status != 200);
    CHECK(verdict.why.size() < 200);
  }
  CHECK(judge(std::string(8000, 'M'), kJson).why.size() < 200);
}

TEST_CASE("http rules: an origin is granted only where it is configured, as it is written") {
  const std::string origin = "Origin: https://app.example\r\n";
  CHECK(judge("POST", kJson + origin).status == 403);
  CHECK(judge("POST", kJson + origin, {"https://other.example"}).status == 403);
  CHECK(judge("POST", kJson + origin, {"https://app.example:443"}).status == 403);
  CHECK(judge("POST", kJson + "Origin: null\r\n", {"https://app.example"}).status == 403);
  for (const char* near :
       {"https://app.example.evil", "https://app.example:443", "https://app.example:4433",
        "https://app.example/", "https://app.exampl", "http://app.example", "https://APP.example",
        "https://evil.app.example", "https://evilapp.example", "app.example", "//app.example",
        "https://app.example, https://other.example", "https://app.example https://app.example",
        "*"}) {
    CAPTURE(near);
    const std::string field = "Origin: " + std::string(near) + "\r\n";
    CHECK(judge("POST", kJson + field, {"https://app.example"}).status == 403);
    CHECK(judge("OPTIONS", field, {"https://app.example"}).status == 403);
  }
  CHECK(judge("OPTIONS", origin).status == 403);
  const HttpVerdict granted = judge("POST", kJson + origin, {"https://app.example"});
  CHECK(granted.status == 200);
  CHECK(granted.origin == "https://app.example");
  CHECK(judge("POST", kJson + origin, {"*"}).origin == "https://app.example");
  CHECK(judge("OPTIONS", origin, {"*"}).status == 204);
  CHECK(judge("OPTIONS", origin + "Content-Length: 0\r\n", {"*"}).status == 204);
  CHECK(judge("OPTIONS", origin + "Content-Length: 1\r\n", {"*"}).status == 413);
  CHECK(judge("OPTIONS", origin + "Transfer-Encoding: chunked\r\n", {"*"}).status == 413);
  CHECK(judge("POST", kJson, {"*"}).origin.empty());
}

TEST_CASE("http rules: a timeout is a number of milliseconds") {
  CHECK(!judge("POST", kJson).timeout_ms);
  CHECK(judge("POST", kJson + "X-Request-Timeout-Ms: 250\r\n").timeout_ms == 250);
  CHECK(judge("POST", kJson + "X-Request-Timeout-Ms: 99999999999999999999\r\n").timeout_ms ==
        1'000'000'000'000);
  for (const char* bad : {"-1", "+1", "1.5", "1e3", "0x10", "1,2", "soon", "1 s"})
    CHECK(judge("POST", kJson + "X-Request-Timeout-Ms: " + bad + "\r\n").status == 400);
}
