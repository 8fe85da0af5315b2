// HttpReader: the faults of a request, each beside the nearest request that is served.
#include "rpc/http_reader.h"

#include <doctest/doctest.h>

#include "framer_support.h"
#include "rpc/http_host.h"

namespace ringmaster::rpc {
namespace {

// The status of the fault in a head, 200 where there is none.
unsigned status_of(std::string_view head) {
  HttpReader reader(kBytesMax);
  size_t pos = 0;
  return reader.read(head, pos) == HttpReader::Event::kBad ? reader.fault().status : 200;
}

std::string head(std::string_view version, std::string_view fields) {
  return "POST / HTTP/" + std::string(version) + "\r\n" + std::string(fields) + "\r\n";
}

// The body of a request with these chunks, or its fault.
std::string end_of(std::string_view chunks) {
  const std::string start = head("1.1", "Host: x\r\nTransfer-Encoding: chunked\r\n");
  std::vector<std::string> whole = cut(start + std::string(chunks), 8192);
  for (const size_t piece : {1u, 2u, 3u, 7u})
    CHECK(cut(start + std::string(chunks), piece) == whole);
  return whole.back();
}

}  // namespace

TEST_CASE("http host: a name or an address, with or without a port") {
  for (const char* good : {"", "x", "x:", "x:80", "x.example", "a_b-c~d.example", "192.0.2.7",
                           "192.0.2.7:7070", "[::1]", "[::1]:7070", "[::ffff:192.0.2.7]",
                           "[fe80::1%25eth0]", "%41", "a%2fb", "a!$&'()*+,;=b"}) {
    CAPTURE(good);
    CHECK(is_http_host(good));
  }
  for (const char* bad :
       {"a b",     "a/b", "a@b",  "a?b",  "a#b",      "a\\b",     "a\"b",    "<a>",
        "a,b c",   "a|b", "a\tb", "a^b",  "http://a", "a:b",      "a:80:80", "a: 80",
        "a:-1",    "::1", "[::1", "::1]", "[]",       "[::1]a",   "[::1]80", "[a/b]",
        "[[::1]]", "%",   "%4",   "%4g",  "a%",       "\xc3\xa9", "a\x7f",   "a\x01"}) {
    CAPTURE(bad);
    CHECK(!is_http_host(bad));
  }
  CHECK(!is_http_host(std::string_view("a\0b", 3)));
}

TEST_CASE("http: HTTP/1.1 takes one valid Host, HTTP/1.0 at most one") {
  CHECK(status_of(head("1.1", "Host: x:80\r\n")) == 200);
  CHECK(status_of(head("1.1", "Host:\r\n")) == 200);  // the client's URL has no host
  CHECK(status_of(head("1.1", "Host:  x \t\r\n")) == 200);
  CHECK(status_of(head("1.0", "")) == 200);
  CHECK(status_of(head("1.0", "Host: x\r\n")) == 200);
  CHECK(status_of(head("1.1", "")) == 400);
  for (const char* version : {"1.1", "1.0"}) {
    CAPTURE(version);
    CHECK(status_of(head(version, "Host: x\r\nHost: x\r\n")) == 400);
    CHECK(status_of(head(version, "Host: x\r\nhost: y\r\n")) == 400);
    CHECK(status_of(head(version, "Host: a b\r\n")) == 400);
    CHECK(status_of(head(version, "Host: a/b\r\n")) == 400);
    CHECK(status_of(head(version, "Host: a@b\r\n")) == 400);
  }
}

TEST_CASE("http: a head has 8 KiB at most") {
  const std::string rest = head("1.1", "Host: x\r\nX: \r\n");
  // The limit counts neither line end behind the last field.
  const std::string value(HttpReader::kHeadBytesMax + 4 - rest.size(), 'x');
  CHECK(status_of(head("1.1", "Host: x\r\nX: " + value + "\r\n")) == 200);
  CHECK(status_of(head("1.1", "Host: x\r\nX: " + value + "x\r\n")) == 431);
}

TEST_CASE("http: the only transfer coding is chunked, in HTTP/1.1 only") {
  const std::string host = "Host: x\r\n";
  CHECK(status_of(head("1.1", host + "Transfer-Encoding: chunked\r\n")) == 200);
  CHECK(status_of(head("1.1", host + "Transfer-Encoding: Chunked\r\n")) == 200);
  CHECK(status_of(head("1.1", host + "Transfer-Encoding: xchunked\r\n")) == 501);
  CHECK(status_of(head("1.1", host + "Transfer-Encoding: chunked, gzip\r\n")) == 501);
  CHECK(status_of(head("1.1", host + "Transfer-Encoding: identity\r\n")) == 501);
  CHECK(status_of(head("1.0", host + "Content-Length: 2\r\n")) == 200);
  CHECK(status_of(head("1.0", host + "Transfer-Encoding: chunked\r\n")) == 400);
  CHECK(status_of(head("1.0", host + "Transfer-Encoding: gzip\r\n")) == 400);
  CHECK(status_of(head("1.0", host + "Transfer-Encoding: identity\r\nContent-Length: 2\r\n")) ==
        400);
}

TEST_CASE("http: lengths and line ends that could be read in two ways are refused") {
  const std::string host = "Host: x\r\n";
  CHECK(status_of(head("1.1", host + "Content-Length: 2\r\nContent-Length: 3\r\n")) == 400);
  CHECK(status_of(head("1.1", host + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n")) ==
        400);
  for (const char* length : {"+2", "-2", "0x2", "2 2", "2,3", "2;", "2.0", "2e0"}) {
    CAPTURE(length);
    CHECK(status_of(head("1.1", host + "Content-Length: " + length + "\r\n")) == 400);
  }
  CHECK(status_of(head("1.1", "Host: x\nX: y\r\n")) == 400);
  CHECK(status_of(head("1.1", "Host: x\r\nX: a\rb\r\n")) == 400);
  CHECK(status_of(head("1.1", "Host: x\r\nX : y\r\n")) == 400);
  CHECK(status_of(head("1.1", "Host: x\r\n X: y\r\n")) == 400);
  CHECK(status_of(head("1.1", host + std::string("X: a\0b\r\n", 8))) == 400);
}

TEST_CASE("http: an extension of a chunk holds no control character but a tab") {
  for (const char* good : {"", ";a", ";a=b", " ; a = b", ";a=\"b c\"", ";a=\"b\tc\"", ";a=\"\\\"\"",
                           ";a=\"\xc3\xa9\"", ";a=b;c=\"d\""}) {
    CAPTURE(good);
    CHECK(end_of("2" + std::string(good) + "\r\n{}\r\n0\r\n\r\n") == "{}");
    CHECK(end_of("2\r\n{}\r\n0" + std::string(good) + "\r\n\r\n") == "{}");
  }
  for (const std::string_view bad :
       {";a=\"b\nc\"", ";a=\"\n\"", ";a=\"b\\\nc\"",
        ";a=\"b\x01"
        "c\"",
        ";a=\"b\x7f\"", ";a\n", "\n", ";\n", ";a=\n", ";a=\"b\rc\"", ";a=b\n;c=d"}) {
    CAPTURE(bad);
    CHECK(end_of("2" + std::string(bad) + "\r\n{}\r\n0\r\n\r\n") == "<bad frame>");
    CHECK(end_of("2\r\n{}\r\n0" + std::string(bad) + "\r\n\r\n") == "<bad frame>");
  }
  const std::string nul(";a=\"b\0c\"", 8);
  CHECK(end_of("2" + nul + "\r\n{}\r\n0\r\n\r\n") == "<bad frame>");
  CHECK(end_of("2\r\n{}\r\n0" + nul + "\r\n\r\n") == "<bad frame>");
}

}  // namespace ringmaster::rpc
