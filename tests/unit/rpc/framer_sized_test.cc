// Framer: messages whose length is known before they come, and HTTP.
#include <doctest/doctest.h>

#include "framer_support.h"

namespace ringmaster::rpc {
namespace {

// So many short fields of HTTP.
std::string fields(size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i)
    all += "a:\r\n";
  return all;
}

const Vector kSizedVectors[] = {
    // headers
    {"Content-Length: 2\r\n\r\n{}", {"{}"}},
    {"content-length:2\n\n{}CONTENT-LENGTH: 3 \r\n\r\n[1]", {"{}", "[1]"}},
    {"Content-Type: x\r\nContent-Length: 2\r\n\r\n{}", {"{}"}},
    {"\r\nContent-Length: 2\r\n\r\n{}\r\n\r\nContent-Length: 4\r\n\r\n{bad", {"{}", "{bad"}},
    {"Content-Length: 5\r\n\r\n[\n1]\nContent-Length: 2\r\n\r\n{}", {"[\n1]\n", "{}"}},
    {"Content-Length: 2\r\nX: " + std::string(3000, 'x') + "\r\n\r\n{}", {"{}"}},
    {"Content-Length: 2\r\nX: " + std::string(5000, 'x'), {"<bad frame>"}},
    {"Content-Length: 3\r\n\r\n{}", {"<mid>"}},
    {"Content-Length: 3\r\n", {"<mid>"}},
    {"Content-Length: 2\r\n\r\n{}C", {"{}", "<mid>"}},
    {"Content-Length: 0\r\n\r\n", {"<bad frame>"}},
    {"Content-Type: 2\r\n\r\n{}", {"<bad frame>"}},
    {"Content-Length: 65\r\n\r\n", {"<too large>"}},
    {"Content-Length: 2\r\n\r\n{}{}\r\n\r\n", {"{}", "<bad frame>"}},
    // a digit
    {"2:{},", {"<not a framing>"}},
    // HTTP
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", {"GET", ""}},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", {"POST", "{}"}},
    {"\r\nPUT / HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}\r\nGET / HTTP/1.0\r\n\r\n",
     {"PUT", "{}", "GET", ""}},
    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
     "2;a=b\r\n{\"\r\n4\r\na\":1\r\n1\r\n}\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
     {"POST", "{\"a\":1}", "GET", ""}},
    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
     "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n02\r\n{}\r\n0\r\n\r\n",
     {"POST", "", "POST", "{}"}},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{", {"POST", "<mid>"}},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2", {"<mid>"}},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65\r\n\r\n", {"POST", "<too large>"}},
    {"POST / HTTP/1.1\r\n\r\n", {"<bad frame>"}},
    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", {"<bad frame>"}},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
     {"<bad frame>"}},
    {"POST / HTTP/1.1\r\nHost: x\r\n" + fields(127) + "Content-Length: 2\r\n\r\n{}",
     {"<bad frame>"}},
    {"POST / HTTP/1.1\r\nHost: x\r\n" + fields(126) + "Content-Length: 2\r\n\r\n{}",
     {"POST", "{}"}},
    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" +
         fields(2000) + "\r\n",
     {"POST", "{}"}},
    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" +
         fields(2100) + "\r\n",
     {"POST", "<bad frame>"}},
    {"\xEF\xBB\xBF{}\n", {"<not a framing>"}},
    {std::string(1, '\0'), {"<not a framing>"}},
};

size_t buffered_after(std::string_view stream, size_t piece) {
  Framer framer(1 << 20);
  for (; !stream.empty(); stream.remove_prefix(std::min(piece, stream.size()))) {
    framer.feed(stream.substr(0, piece));
    std::string_view message;
    while (framer.next(message) != Framer::Event::kNeedMore) {
    }
  }
  return framer.buffered_bytes();
}

}  // namespace

TEST_CASE("framing: nothing of an HTTP request is kept once it has been handed out") {
  const std::string body(500'000, 'x');
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n";
  for (const size_t piece : {10u, 60'000u, 600'000u}) {
    CHECK(buffered_after(head + body, piece) == 0);
    CHECK(buffered_after(head + body.substr(1), piece) > body.size());
  }
}

TEST_CASE("framing: a stream with lengths in it is cut alike, whole or in pieces of any size") {
  for (const Vector& v : kSizedVectors) {
    for (const size_t piece :
         {size_t{8192}, size_t{1}, size_t{2}, size_t{3}, size_t{5}, size_t{100'000}}) {
      CAPTURE(v.stream);
      CAPTURE(piece);
      CHECK(cut(v.stream, piece) == v.out);
      CHECK(cut(v.stream, piece, kBytesMax, true) == v.out);
    }
  }
}

TEST_CASE("framing: behind a message of known length, the next one is read in place, too") {
  const std::string large(300'000, 'x');
  const std::string headers = "Content-Length: 300000\r\n\r\n" + large;
  for (const size_t piece : {10'000u, 65'536u, 150'001u, 1'000'000u}) {
    CAPTURE(piece);
    const std::string stream = headers + headers + "Content-Length: 2\r\n\r\n{}";
    for (const bool is_taken : {false, true})
      CHECK(cut(stream, piece, 300'000, is_taken) == std::vector<std::string>{large, large, "{}"});
  }
}

}  // namespace ringmaster::rpc
