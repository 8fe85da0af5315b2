#include "upstream/redirect.h"

#include <doctest/doctest.h>

namespace ringmaster::upstream {
namespace {

const std::string kFrom = "http://user:key@Host.test:8080/v1/users?a=1";

// The URL that follows, or the fault, for a GET that is redirected for good.
std::string url_after(const std::string& to, const std::string& from = kFrom) {
  const auto redirect = read_redirect(from, to, 301, "GET");
  return redirect ? redirect->url : "refused: " + redirect.error();
}

}  // namespace

TEST_CASE("redirect: within scheme, host and port it is followed, with our own credentials") {
  CHECK(url_after("http://host.TEST:8080/v2?b=%2F#top") ==
        "http://user:key@Host.test:8080/v2?b=%2F");
  CHECK(url_after("http://other:word@host.test:8080/v2") == "http://user:key@Host.test:8080/v2");
  CHECK(url_after("http://host.test:8080?b") == "http://user:key@Host.test:8080/?b");
  CHECK(url_after("http://host.test:8080") == "http://user:key@Host.test:8080/");
  CHECK(url_after("https://h:443/b", "https://h/a") == "https://h/b");
  CHECK(url_after("http://h/b", "http://h:80") == "http://h:80/b");
  CHECK(url_after("http://[::1]:81/b", "http://[::1]:81/a") == "http://[::1]:81/b");
}

TEST_CASE(
    "redirect: to another scheme, host or port it is refused, and the error names the "
    "origin") {
  for (const std::string to :
       {"https://host.test:8080/", "http://host.test/", "http://host.test:8081/",
        "http://host.test.evil:8080/", "http://host.test:8080@evil/", "http://127.0.0.1:8080/",
        "ftp://host.test:8080/", "http://evil:8080/@host.test:8080/"}) {
    CAPTURE(to);
    CHECK(url_after(to).starts_with("refused: a redirect to another origin, "));
  }
  CHECK(url_after("https://user:key@Evil.test/v1") ==
        "refused: a redirect to another origin, https://evil.test:443; set url to where the "
        "service is");
  for (const std::string to : {"", "http://[", "http://h:99999/", "/v2"}) {
    CAPTURE(to);
    CHECK(url_after(to).starts_with("refused: "));
  }
  CHECK(url_after("http://" + std::string(5000, 'x') + "/").size() < 300);
}

TEST_CASE("redirect: a body is kept, or the error says that it would be lost") {
  const auto is_get = [](long status, std::string_view method) {
    return read_redirect("http://h/a", "http://h/b", status, method).value().is_get;
  };
  for (const long status : {307, 308}) {
    CHECK_FALSE(is_get(status, "POST"));
    CHECK_FALSE(is_get(status, "GET"));
  }
  for (const long status : {301, 302}) {
    CHECK_FALSE(is_get(status, "GET"));
    CHECK_FALSE(is_get(status, "PUT"));
    CHECK(read_redirect("http://h/a", "http://h/b", status, "POST").error() ==
          "a redirect that loses the body of a POST (307 and 308 keep it)");
  }
  CHECK(is_get(303, "POST"));
  CHECK(is_get(303, "PUT"));
}

TEST_CASE("redirect: a status that names no other place is no redirect") {
  for (const long status : {301, 302, 303, 307, 308})
    CHECK(is_redirect(status));
  for (const long status : {200, 300, 304, 305, 306, 309, 404})
    CHECK_FALSE(is_redirect(status));
}

}  // namespace ringmaster::upstream
