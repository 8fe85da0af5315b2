#include "master/frontend/access_control.h"

#include <doctest/doctest.h>

#include "base/clock.h"

namespace ringmaster::master {
namespace {

bool knows(const AccessControl& access, std::string_view token) {
  return !access.client_with(token).empty();
}

}  // namespace

TEST_CASE("access control: each of the tokens is known, and nothing else") {
  AccessControl access;
  CHECK(!access.asks_for_token());
  CHECK(!knows(access, ""));
  access.set_rules(
      {}, {{"first", Secret("the-first-of-them")}, {"second", Secret("the-second-one-too")}});
  CHECK(access.asks_for_token());
  CHECK(!access.asks_for_address());
  CHECK(knows(access, "the-first-of-them"));
  CHECK(knows(access, "the-second-one-too"));
  CHECK(access.client_with("the-first-of-them") == "token first");
  CHECK(!knows(access, "the-first-of-the"));
  CHECK(!knows(access, "the-first-of-them "));
  CHECK(!knows(access, " the-first-of-them"));
  CHECK(!knows(access, "the-first-of-themX"));
  CHECK(!knows(access, "The-first-of-them"));
  CHECK(!knows(access, "the-first-of-them\nthe-second-one-too"));
  CHECK(!knows(access, "the-first-of-themthe-second-one-too"));
  CHECK(!knows(access, std::string_view("the-first-of-them\0", 18)));
  CHECK(!knows(access, ""));
}

TEST_CASE("access control: a token is found in an object and in an array") {
  CHECK(token_of(R"({"token":"abc"})") == "abc");
  CHECK(token_of(R"({"user":"x","token":"abc"})") == "abc");
  CHECK(token_of(R"({"token":"\u0061bc\\"})") == "abc\\");
  CHECK(token_of(R"(["abc"])") == "abc");
  for (const char* none :
       {"", "{}", "[]", R"({"Token":"abc"})", R"({"token":7})", R"({"x":{"token":"abc"}})",
        R"({"tokens":"abc"})", R"({"toke":"abc"})", R"({"token":["abc"]})", R"({"token":null})",
        R"(["abc","def"])", R"([["abc"]])", R"([7])", R"({"token":"abc")"}) {
    CAPTURE(none);
    CHECK(token_of(none).empty());
  }
}

TEST_CASE("access control: refusals are reported once a second at most, and none is left out") {
  AccessControl access;
  CHECK(access.take_reports(5 * kNsPerS).empty());
  access.count(Refusal::kAddress, "a");
  auto reports = access.take_reports(5 * kNsPerS);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].event == "clients_refused");
  CHECK(reports[0].why == "address");
  CHECK(reports[0].count == 1);
  CHECK(reports[0].whom == "a");
  for (int i = 0; i < 1000; ++i)
    access.count(Refusal::kAddress, "b");
  access.count(Refusal::kAddress, "c");
  CHECK(access.take_reports(6 * kNsPerS - 1).empty());
  reports = access.take_reports(6 * kNsPerS);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].count == 1001);
  CHECK(reports[0].total == 1002);
  CHECK(reports[0].whom == "c");
  CHECK(access.take_reports(60 * kNsPerS).empty());
  access.count(Refusal::kDelayedHandshake, "d");  // the last kind has an event, too
  reports = access.take_reports(60 * kNsPerS);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].event == "handshakes_delayed");
}

}  // namespace ringmaster::master
