#include "upstream/request_key.h"

#include <doctest/doctest.h>
#include <functional>
#include <string>
#include <vector>

namespace ringmaster::upstream {

TEST_CASE("request key: it changes with all that the upstream sees but number, timeout and trace") {
  const std::vector<std::string> constant = {"Accept: application/json"};
  const std::vector<std::string> other_constant = {"Accept: text/csv"};
  const auto made = [&](const std::function<void(HttpClient::Request&)>& change) {
    HttpClient::Request request;
    request.method = "POST";
    request.target = "/a";
    request.body = "{}";
    request.headers = {"Authorization: Bearer one"};
    request.constant_headers = constant;
    change(request);
    return key_of(request);
  };
  using Request = HttpClient::Request;
  const KeyedHash key = made([](Request&) {});
  CHECK(key == made([](Request& one) {
          one.number = 7;
          one.timeout_ms = 5;
          one.left_ms = 4;
          one.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
          one.client = &one;
        }));
  CHECK(key != made([](Request& one) { one.method = "PUT"; }));
  CHECK(key != made([](Request& one) { one.target = "/b"; }));
  CHECK(key != made([](Request& one) { one.body = "[]"; }));
  CHECK(key != made([](Request& one) { one.headers = {"Authorization: Bearer two"}; }));
  CHECK(key != made([](Request& one) { one.headers.emplace_back("X-A: b"); }));
  CHECK(key != made([&](Request& one) { one.constant_headers = other_constant; }));
  // No part can be taken for a piece of the one beside it.
  CHECK(key != made([](Request& one) { one.target = "/a{}", one.body = ""; }));
  CHECK(made([](Request& one) {
          one.headers = {"A: b", "C: d"};
        }) != made([](Request& one) { one.headers = {"A: bC: d"}; }));
}

}  // namespace ringmaster::upstream
