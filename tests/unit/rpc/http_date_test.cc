#include "rpc/http_date.h"

#include <cstdlib>
#include <ctime>
#include <doctest/doctest.h>
#include <string>

#include "rpc/http_response.h"

using namespace ringmaster;

TEST_CASE("http date: times have the format of RFC 9110") {
  rpc::HttpDate date;
  CHECK(date.at(784'111'777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(date.at(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(date.at(951'782'399) == "Mon, 28 Feb 2000 23:59:59 GMT");
  CHECK(date.at(951'782'400) == "Tue, 29 Feb 2000 00:00:00 GMT");
  CHECK(date.at(1'483'228'799) == "Sat, 31 Dec 2016 23:59:59 GMT");
  CHECK(date.at(253'402'300'799) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(date.at(784'111'777) == "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST_CASE("http date: the time zone of the process does not matter") {
  ::setenv("TZ", "EST5", 1);
  ::tzset();
  CHECK(rpc::HttpDate().at(784'111'777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  ::unsetenv("TZ");
  ::tzset();
}

TEST_CASE("http date: a head has one Date, its last field") {
  const std::string head = rpc::http_head(503, 2, false, "DATE", {{{"Retry-After", "1"}}});
  CHECK(head ==
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        "Content-Length: 2\r\nConnection: close\r\nRetry-After: 1\r\nDate: DATE\r\n\r\n");
}
