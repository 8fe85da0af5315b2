// Framer: JSON values, and what holds for every framing.
#include <algorithm>
#include <doctest/doctest.h>

#include "framer_support.h"

namespace ringmaster::rpc {
namespace {

using Event = Framer::Event;

const Vector kVectors[] = {
    {"", {}},
    {" \r\n\n\t ", {}},
    {"{}", {"{}"}},
    {"{}\n", {"{}"}},
    {"{}\r\n[]\r\n", {"{}", "[]"}},
    {"\r\n\n \t{\"a\":1} \t\r\n\r\n[2]\n", {"{\"a\":1}", "[2]"}},
    {"{\"a\":\"}\\\"]{\\\\\"}\n", {"{\"a\":\"}\\\"]{\\\\\"}"}},
    {"[[1],{\"a\":[]}]", {"[[1],{\"a\":[]}]"}},
    {"{\"a\":1", {"<mid>"}},
    {"{\"a\":\"\\", {"<mid>"}},
    // concatenated
    {"{}{}", {"{}", "{}"}},
    {"{} {}[]", {"{}", "{}", "[]"}},
    {"{}[\n1,\n2\n]{\n}", {"{}", "[\n1,\n2\n]", "{\n}"}},
    {"{}\n{\n}\n", {"{}", "{", "}"}},  // not known to be concatenated yet
    {"{}{}\n{\n}\n", {"{}", "{}", "{\n}"}},
    {"{}{bad}{}", {"{}", "{bad}", "<closed>"}},
    {"{}{}\nxyz\n{}", {"{}", "{}", "xyz", "<closed>"}},
    {"{}[]123\n{}", {"{}", "[]", "123", "{}"}},
    // bad lines: reading goes on with the next
    {"{bad}\n{}\n", {"{bad}", "{}"}},
    {"{bad} {}{}\n[]\n", {"{bad}", "[]"}},
    {"{bad}", {"{bad}", "<mid>"}},
    {"{\"a\":\n{}\n", {"{\"a\":", "{}"}},
    {"{\"a\":\"x\n{}\n", {"{\"a\":\"x", "{}"}},
    {"{\"a\":\"x\\\n{}\n", {"{\"a\":\"x\\", "{}"}},
    {"{\"a\":\"x\\\n\"}\n{}\n", {"{\"a\":\"x\\", "\"}", "{}"}},
    {"{\"a\":\r\n{}\n", {"{\"a\":", "{}"}},
    {"[}\n{}\n", {"[}", "{}"}},
    // lines that begin with anything else
    {"{}\nxyz\n{}\n", {"{}", "xyz", "{}"}},
    {"{}\nxyz{}\r\n{}\n", {"{}", "xyz{}", "{}"}},
    {"{}\n123\n\"a\"\n{}\n", {"{}", "123", "\"a\"", "{}"}},
    {"{}\nxyz", {"{}", "<mid>"}},
    {"{}\nContent-Length: 2\n{}\n", {"{}", "Content-Length: 2", "{}"}},
    // no framing
    {"xyz\n", {"<not a framing>"}},
    {"\n \"a\"\n", {"<not a framing>"}},
    {"]", {"<not a framing>"}},
    {"Contend: 2\r\n\r\n{}", {"<not a framing>"}},
    {"get / HTTP/1.1\r\n", {"<not a framing>"}},
    {"GETTING", {"<not a framing>"}},
    {"Conten", {}},
    {" PO", {}},
};

// Streams in which garbage follows a value on its line: what comes out if the stream comes as a
// whole, and if its bytes come one by one.
const struct {
  std::string stream;
  std::vector<std::string> whole, single;
} kGarbage[] = {
    {"{}}\n[]\n", {"{}}", "[]"}, {"{}", "}", "[]"}},
    {"{}}{}\n[]\n", {"{}}", "[]"}, {"{}", "}{}", "[]"}},
    {"{} \t\r}\n[]\n", {"{} \t\r}", "[]"}, {"{}", "}", "[]"}},
    {"{}xyz\n[]\n", {"{}x", "[]"}, {"{}", "xyz", "[]"}},
    {"{},{}\n[]\n", {"{},", "[]"}, {"{}", ",{}", "[]"}},
    {"{}}", {"{}}", "<mid>"}, {"{}", "<mid>"}},
    {"{]]\n{}\n", {"{]]", "{}"}, {"{]", "{}"}},
    {"{\"a\":[}}]}\n{}\n", {"{\"a\":[}}]", "{}"}, {"{\"a\":[}}", "{}"}},
    // in a concatenated stream the garbage is a message of its own, and ends the stream
    {"{}{}}\n[]\n", {"{}", "{}", "}", "<closed>"}, {"{}", "{}", "}", "<closed>"}},
    // blanks and values are not garbage
    {"{} \r\n[]\n", {"{}", "[]"}, {"{}", "[]"}},
    {"{} \t", {"{}"}, {"{}"}},
};

std::string of_size(size_t size) {
  return "[\"" + std::string(size - 4, 'x') + "\"]";
}

}  // namespace

TEST_CASE("framing: every stream is cut alike, whole or in pieces of any size") {
  for (const Vector& v : kVectors) {
    for (const size_t piece : {size_t{4096}, size_t{1}, size_t{2}, size_t{3}, size_t{5}}) {
      CAPTURE(v.stream);
      CAPTURE(piece);
      CHECK(cut(v.stream, piece) == v.out);
    }
  }
}

TEST_CASE("framing: an expected line is a message, whole or in pieces of any size") {
  const auto cut_expecting = [](std::string_view stream, size_t piece) {
    Framer framer(kBytesMax);
    framer.expect_line("agent\n");
    std::vector<std::string> out;
    while (!stream.empty()) {
      const std::string bytes(stream.substr(0, piece));
      stream.remove_prefix(bytes.size());
      framer.feed(bytes);
      std::string_view message;
      Event event = framer.next(message);
      for (; event == Event::kMessage; event = framer.next(message))
        out.emplace_back(message);
      if (event == Event::kNotAFraming) return out.emplace_back("<not a framing>"), out;
    }
    return out;
  };
  using Texts = std::vector<std::string>;
  for (size_t piece = 1; piece <= 8; ++piece) {
    CHECK(cut_expecting("agent\n", piece) == Texts{"agent"});
    CHECK(cut_expecting("agent\nagent\n", piece) == Texts{"agent", "agent"});
    CHECK(cut_expecting("agen", piece).empty());
    CHECK(cut_expecting("agents\n", piece) == Texts{"<not a framing>"});
    CHECK(cut_expecting("agenda", piece) == Texts{"<not a framing>"});
    CHECK(cut_expecting("{}\n", piece) == Texts{"{}"});
  }
  CHECK(cut("agent\n", 6) == Texts{"<not a framing>"});
}

TEST_CASE("framing: garbage behind a value on its line makes the value bad") {
  for (const auto& [bytes, whole, single] : kGarbage) {
    const std::string& stream = bytes;
    CAPTURE(stream);
    CHECK(cut(stream, 4096) == whole);
    CHECK(cut(stream, 1) == single);
  }
  // If a read ends with the value, the value is served before the garbage comes.
  CHECK(cut("{\"a\":1}}\n[]\n", 7) == std::vector<std::string>{"{\"a\":1}", "}", "[]"});
  CHECK(cut("{\"a\":1}}\n[]\n", 8) == std::vector<std::string>{"{\"a\":1}}", "[]"});
  CHECK(cut("{\"a\":1}}\n[]\n", 5) == std::vector<std::string>{"{\"a\":1}}", "[]"});
}

TEST_CASE("framing: a value split over two reads is one message, wherever it is split") {
  const std::string stream = "{\"a\":\"\\\\\\\"}\"}[\"\\\"\", {}]\n";
  const std::vector<std::string> whole = cut(stream, stream.size());
  CHECK(whole.size() == 2);
  for (size_t piece = 1; piece < stream.size(); ++piece)
    CHECK(cut(stream, piece) == whole);
}

TEST_CASE("framing: a message of exactly the limit passes, one byte more does not") {
  const std::string largest = of_size(kBytesMax);
  const std::string line(kBytesMax, 'x');
  for (const size_t piece : {size_t{4096}, size_t{1}, size_t{63}, size_t{64}, size_t{65}}) {
    CAPTURE(piece);
    using Out = std::vector<std::string>;
    CHECK(cut("\n\n  " + largest + largest + "\n", piece) == Out{largest, largest});
    CHECK(cut("[]\n" + of_size(kBytesMax + 1), piece) == Out{"[]", "<too large>"});
    CHECK(cut(of_size(kBytesMax + 1).substr(0, kBytesMax + 1), piece) == Out{"<too large>"});
    CHECK(cut("[]\n" + line + "\n[]", piece) == Out{"[]", line, "[]"});
    CHECK(cut("[]\n" + line + "x\n[]", piece) == Out{"[]", "<too large>"});
    CHECK(cut("[" + line + "\n", piece) == Out{"<too large>"});
    // neither blanks nor skipped bytes count
    CHECK(cut("{bad}{" + std::string(1000, 'x') + "\n" + std::string(1000, '\n') + "[]", piece) ==
          Out{"{bad}", "[]"});
  }
}

TEST_CASE("framing: what follows a long message that was read in place is cut alike") {
  const std::string large = "[\"" + std::string(300'000, 'x') + "\"]";
  const std::string last = R"({"last":1})";
  for (const Vector& vector : kVectors) {
    if (!vector.out.empty() && vector.out.back().starts_with('<')) continue;
    if (vector.stream.find_first_of("{[") != vector.stream.find_first_not_of(" \t\r\n")) continue;
    CAPTURE(vector.stream);
    std::vector<std::string> expected = vector.out;
    expected.insert(expected.begin(), large);
    expected.push_back(last);
    const std::string stream = large + '\n' + vector.stream + '\n' + last + '\n';
    for (const size_t piece : {10'000u, 65'536u, 150'001u, 1'000'000u}) {
      CHECK(cut(stream, piece, 400'000) == expected);
      CHECK(cut(stream, piece, 400'000, true) == expected);
    }
  }
}

TEST_CASE("framing: a long message may be read in place from its first 64 KiB on, to its limit") {
  constexpr size_t kLong = 500'000;
  Framer framer(kLong);
  std::string_view message;
  const std::string begin = "[\"" + std::string(70'000, 'x');
  framer.feed(std::string_view(begin).substr(0, 60'000));
  CHECK(framer.next(message) == Event::kNeedMore);
  CHECK(framer.room().empty());
  framer.feed(std::string_view(begin).substr(60'000));
  size_t size = begin.size();
  while (framer.next(message) == Event::kNeedMore) {
    const std::span<char> room = framer.room();
    REQUIRE(!room.empty());
    std::fill(room.begin(), room.end(), 'x');
    framer.feed_room(room.size());
    size += room.size();
  }
  CHECK(size == kLong + 1);
  CHECK(framer.next(message) == Event::kTooLarge);
  CHECK(framer.buffered_bytes() == 0);
  CHECK(framer.room().empty());
}

TEST_CASE("framing: a failure is final") {
  std::string_view message;
  Framer framer(8);
  framer.feed("[\"too large\"]");
  CHECK(framer.next(message) == Event::kTooLarge);
  CHECK(framer.next(message) == Event::kTooLarge);
  framer.feed("\n[]\n");
  CHECK(framer.next(message) == Event::kTooLarge);
  Framer other(8);
  other.feed("GOT / HTTP/1.1\r\n\r\n");
  CHECK(other.next(message) == Event::kNotAFraming);
  other.feed("{}");
  CHECK(other.next(message) == Event::kNotAFraming);
  CHECK(other.framing() == Framing::kUndecided);
  CHECK(!other.skip_bad_message());
}

TEST_CASE("framing: a message that was fed whole is handed out where it lies") {
  const std::string bytes = " {\"a\":1}\r\nxyz\n{\"b\":";
  Framer framer(kBytesMax);
  framer.feed(bytes);
  std::string_view message;
  CHECK(framer.next(message) == Event::kMessage);
  CHECK(message.data() == bytes.data() + 1);
  CHECK(framer.next(message) == Event::kMessage);
  CHECK(message == "xyz");
  CHECK(message.data() == bytes.data() + 10);
  CHECK(framer.next(message) == Event::kNeedMore);
  const std::string more = "2}{}";
  framer.feed(more);
  CHECK(framer.next(message) == Event::kMessage);
  CHECK(message == "{\"b\":2}");
  CHECK(framer.next(message) == Event::kMessage);
  CHECK(message.data() == more.data() + 2);
  CHECK(framer.next(message) == Event::kNeedMore);
  CHECK(framer.next(message) == Event::kNeedMore);
}

TEST_CASE("framing: it says when the framing is decided, and when a message is incomplete") {
  Framer framer(kBytesMax);
  std::string_view message;
  const auto feed = [&](std::string_view bytes) {
    framer.feed(bytes);
    return framer.next(message);
  };
  CHECK(feed("\r\n ") == Event::kNeedMore);
  CHECK(framer.framing() == Framing::kUndecided);
  CHECK(!framer.is_mid_message());
  CHECK(feed("[") == Event::kNeedMore);
  CHECK(framer.framing() == Framing::kJson);
  CHECK(framer.is_mid_message());
  CHECK(feed("x]") == Event::kMessage);
  CHECK(framer.skip_bad_message());
  CHECK(framer.next(message) == Event::kNeedMore);
  CHECK(framer.is_mid_message());
  CHECK(feed("\n") == Event::kNeedMore);
  CHECK(!framer.is_mid_message());
}

TEST_CASE("framer: a limit for now holds until it is lifted, except for HTTP") {
  const std::string long_one = "[\"" + std::string(100, 'x') + "\"]";
  std::string_view message;
  Framer early(1000);
  early.limit_for_now(50);
  early.feed(long_one);
  CHECK(early.next(message) == Event::kTooLarge);
  Framer pieces(1000);
  pieces.limit_for_now(50);
  pieces.feed(std::string_view(long_one).substr(0, 60));
  CHECK(pieces.next(message) == Event::kTooLarge);
  Framer sized(1000);
  sized.limit_for_now(50);
  sized.feed("Content-Length: 100\r\n\r\n");
  CHECK(sized.next(message) == Event::kTooLarge);

  Framer lifted(1000);
  lifted.limit_for_now(50);
  const std::string both = "[1]" + long_one;
  lifted.feed(both);
  REQUIRE(lifted.next(message) == Event::kMessage);
  lifted.limit_for_now(0);
  REQUIRE(lifted.next(message) == Event::kMessage);
  CHECK(message == long_one);

  Framer http(1000);
  http.limit_for_now(50);
  const std::string post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 104\r\n\r\n" + long_one;
  http.feed(post);
  REQUIRE(http.next(message) == Event::kHead);
  REQUIRE(http.next(message) == Event::kMessage);
  CHECK(message == long_one);
}

}  // namespace ringmaster::rpc
