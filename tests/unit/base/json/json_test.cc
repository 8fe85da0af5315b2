#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/mask.h"
#include "base/json/scan.h"

using namespace std::literals;
namespace json = ringmaster::json;

namespace {

std::string repeat(std::string_view text, size_t count) {
  std::string repeated;
  for (size_t i = 0; i < count; ++i)
    repeated += text;
  return repeated;
}

std::string nested(size_t depth) {
  return repeat("[", depth) + repeat("]", depth);
}

// Records the events of a scan, one after another.
class Recorder final : public json::Visitor {
 public:
  void restart() override { heard += "restart"; }
  void key(std::string_view text, size_t depth) override { add("key", depth, text); }
  void enter(json::Kind kind, size_t depth) override { add("enter", depth, json::name(kind)); }
  void value(const json::Value& v) override {
    add(json::name(v.kind), v.depth, v.raw);
    if (v.kind == json::Kind::kString) string = v.text;
  }

  std::string heard;
  std::string string;  // the text of the last string

 private:
  void add(std::string_view what, size_t depth, std::string_view text) {
    heard.append(" | ").append(what).append(" ").append(std::to_string(depth));
    heard.append(" ").append(text);
  }
};

}  // namespace

TEST_CASE("json: what RFC 8259 allows is accepted") {
  const std::string_view kGood[] = {
      // the y_ cases of the public JSON parsing suite
      "[[]   ]", "[\"\"]", "[]", "[\"a\"]", "[false]", "[null, 1, \"1\", {}]", "[null]", "[1\n]",
      " [1]", "[1,null,null,null,2]", "[2] ", "[123e65]", "[0e+1]", "[0e1]", "[ 4]",
      "[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]",
      "[20e1]", "[-0]", "[-123]", "[-1]", "[-0]", "[1E22]", "[1E-2]", "[1E+2]", "[123e45]",
      "[123.456e78]", "[1e-2]", "[1e+2]", "[123]", "[123.456789]",
      "{\"asd\":\"sdf\", \"dfg\":\"fgh\"}", "{\"asd\":\"sdf\"}", "{\"a\":\"b\",\"a\":\"c\"}",
      "{\"a\":\"b\",\"a\":\"b\"}", "{}", "{\"\":0}", "{\"foo\\u0000bar\": 42}",
      "{ \"min\": -1.0e+28, \"max\": 1.0e+28 }",
      "{\"x\":[{\"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}], \"id\": \"xxxx\"}",
      "{\"a\":[]}", "{\"title\":\"\\u041f\\u043e\\u043b\\u0442\\u043e\\u0440\\u0430\" }",
      "{\n\"a\": \"b\"\n}", "[\"\\u0060\\u012a\\u12AB\"]", "[\"\\uD801\\udc37\"]",
      "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "[\"\\\\u0000\"]",
      "[\"\\\"\"]", "[\"a/*b*/c/*d//e\"]", "[\"\\\\a\"]", "[\"\\\\n\"]", "[\"\\u0012\"]",
      "[\"\\uFFFF\"]", "[\"asd\"]", "[ \"asd\"]", "[\"\\uDBFF\\uDFFF\"]", "[\"new\\u00A0line\"]",
      "[\"\xF4\x8F\xBF\xBF\"]", "[\"\xEF\xBF\xBF\"]", "[\"\\u0000\"]", "[\"\\u002c\"]",
      "[\"\xCF\x80\"]", "[\"\xF0\x9B\xBF\xBF\"]", "[\"asd \"]", "\" \"", "[\"\\uD834\\uDd1e\"]",
      "[\"\\u0821\"]", "[\"\\u0123\"]", "[\"\xE2\x80\xA8\"]", "[\"\xE2\x80\xA9\"]",
      "[\"\\u0061\\u30af\\u30EA\\u30b9\"]", "[\"new\\u000Aline\"]", "[\"\x7f\"]", "[\"\\uA66D\"]",
      "[\"\\u005C\"]", "[\"\xE2\x8D\x82\xE3\x88\xB4\xE2\x8D\x82\"]", "[\"\\u200B\"]",
      "[\"\\u2064\"]", "[\"\\uFDD0\"]", "[\"\\uFFFE\"]", "[\"\\u0022\"]",
      "[\"\xE2\x82\xAC\xF0\x9D\x84\x9E\"]",
      "[\"a\x7f"
      "a\"]",
      "false", "42", "-0.1", "null", "\"asd\"", "true", "\"\"", "[\"a\"]\n", "[true]", " [] ",
      // the suite's i_ cases that must be accepted here
      "[123.456e-789]", "[0.4e00669999999999999999999999999999999999999999999999999999999999999]",
      "[-1e+9999]", "[1.5e+9999]", "[-123123e100000]", "[123123e100000]", "[123e-10000000]",
      "[-237462374673276894279832749832423479823246327846]", "[100000000000000000000]",
      "{\"\\uDFAA\":0}", "[\"\\uDADA\"]", "[\"\\uD888\\u1234\"]", "[\"\\uD800\\n\"]",
      "[\"\\uDd1ea\"]", "[\"\\uD800\\uD800\\n\"]", "[\"\\ud800\"]", "[\"\\ud800abc\"]",
      "[\"\\uDd1e\\uD834\"]", "[\"\\uDFAA\"]", "\"\\ud800\\ud800\\udc00\"", "1e400",
      "[9e308,-9e999]"};
  for (const auto text : kGood) {
    CAPTURE(text);
    CHECK(json::find_fault(text).value_or("") == "");
  }
  CHECK(!json::find_fault(repeat("9", 400)));
  CHECK(!json::find_fault("[" + repeat("9", 400) + ".5E+77, \"\\ud800\", 1e400]"));
  CHECK(!json::find_fault("0." + repeat("0", 100'000) + "1"));
}

TEST_CASE("json: what RFC 8259 forbids is refused") {
  const std::string_view kBad[] = {
      // the n_ cases of the public JSON parsing suite
      "[1 true]", "[a\xE5]", "[\"\": 1]", "[\"\"],", "[,1]", "[1,,2]", "[\"x\",,]", "[\"x\"]]",
      "[\"\",]", "[\"x\"", "[x", "[3[4]]", "[\xFF]", "[1:2]", "[,]", "[-]", "[   , \"\"]",
      "[\"a\",\n4\n,1,", "[1,]", "[1,\n1\n,1", "[\"a\\f\",\x0B]", "[*]", "[\"\"", "[1,", "[1,\n1",
      "[{}", "[fals]", "[nul]", "[tru]", "123\0"sv, "[++1234]", "[+1]", "[+Inf]", "[-01]",
      "[-1.0.]", "[-2.]", "[-NaN]", "[.-1]", "[.2e-3]", "[0.1.2]", "[0.3e+]", "[0.3e]", "[0.e1]",
      "[0E+]", "[0E]", "[0e+]", "[0e]", "[1.0e+]", "[1.0e-]", "[1.0e]", "[1 000.0]", "[1eE2]",
      "[2.e+3]", "[2.e-3]", "[2.e3]", "[9.e+]", "[Inf]", "[NaN]", "[\xEF\xBC\x91]", "[1+2]",
      "[0x1]", "[0x42]", "[Infinity]", "[0e+-1]", "[-123.123foo]", "[123\xE5]", "[1e1\xE5]",
      "[0\xE5]\n", "[-Infinity]", "[-foo]", "[- 1]", "[-012]", "[-.123]", "[-1x]", "[1ea]",
      "[1e\xE5]", "[1.]", "[.123]", "[1.2a-3]", "[1.8011670033376514H-308]", "[012]",
      "[\"x\", truth]", "{[: \"x\"}\n", "{\"x\", null}", "{\"x\"::\"b\"}",
      "{\xF0\x9F\x87\xA8\xF0\x9F\x87\xAD}", "{\"a\":\"a\" 123}", "{key: 'value'}",
      "{\"\xB9\":\"0\",}", "{\"a\" b}", "{:\"b\"}", "{\"a\" \"b\"}", "{\"a\":", "{\"a\"", "{1:1}",
      "{9999E9999:1}", "{null:null,null:null}", "{\"id\":0,,,,,}", "{'a':0}", "{\"id\":0,}",
      "{\"a\":\"b\"}/**/", "{\"a\":\"b\"}/**//", "{\"a\":\"b\"}//", "{\"a\":\"b\"}/",
      "{\"a\":\"b\",,\"c\":\"d\"}", "{a: \"b\"}", "{\"a\":\"a", "{ \"foo\" : \"bar\", \"a\" }",
      "{\"a\":\"b\"}#", " ", "[\"\\uD800\\\"]", "[\"\\uD800\\u\"]", "[\"\\uD800\\u1\"]",
      "[\"\\uD800\\u1x\"]", "[\xC3\xA9]", "[\"\\\0\"]"sv, "[\"\\x00\"]", "[\"\\\\\\\"]",
      "[\"\\\t\"]", "[\"\\\xF0\x9F\x8C\x80\"]", "[\"\\\"]", "[\"\\u00A\"]", "[\"\\uD834\\uDd\"]",
      "[\"\\uD800\\uD800\\x\"]", "[\"\\u\xE5\"]", "[\"\\a\"]", "[\"\\uqqqq\"]", "[\"\\\xE5\"]",
      "[\\u0020\"asd\"]", "[\\n]", "\"", "['single quote']", "abc", "[\"\\", "[\"a\0a\"]"sv,
      "[\"new\nline\"]", "[\"\t\"]", "\"\\UA66D\"", "\"\"x", "<.>", "[<null>]", "[1]x", "[1]]",
      "[\"asd]", "a\xC3\xA5", "[True]", "1]", "{\"x\": true,", "[][]", "]", "\xEF\xBB{}", "\xE5",
      "[", "", "[\0]"sv, "2@", "{}}", "{\"\":", "{\"a\":/*comment*/\"b\"}", "{\"a\": true} \"x\"",
      "['", "[,", "[{", "[\"a", "[\"a\"", "{", "{]", "{,", "{[", "{\"a", "{'a'", "*",
      "[\"\\{[\"\\{[\"\\{[\"\\{", "\xEF\xBB\xBF", "\xEF\xBB\xBF{}", "[\xE2\x81\xA0]",
      "[\\u000A\"\"]", "[1", "[ false, nul", "[ true, fals", "[ false, tru", "{\"asd\":\"asd\"",
      "\xC2\xA5", "[\f]", "[\xE2\x80\x8B]",
      // bytes that are not UTF-8
      "[\"\xFF\"]", "[\"\x80\"]", "[\"\xC0\xAF\"]", "[\"\xE0\x80\xAF\"]", "[\"\xED\xA0\x80\"]",
      "[\"\xF4\x90\x80\x80\"]", "[\"\xF8\x88\x80\x80\x80\"]", "[\"\xC3\"]", "[\"\xE2\x82\"]",
      "[\"\xF0\x9F\x98\"]", "[\"\xF0\x80\x80\x80\"]", "\"\xE2\x82",
      // grammar faults beside masked tokens
      "1e4001e400", "1e400e400", "1e400.5", "[1e400,]", "[01e400]", "[+1e400]", "[-1e400-]",
      "{1e400:1}", "[1e400 1e400]", "true1e400", "[\"\\ud800\", \"\\uzzzz\"]", "\"\\ud800",
      "[1e400, \"\\q\"]", "[\"\\ud800\" \"\\ud800\"]", "1e400\0"sv, "{}\0{}"sv};
  for (const auto text : kBad) {
    CAPTURE(text);
    CHECK(json::find_fault(text));
  }
}

TEST_CASE("json: nesting is limited to 128 and never exhausts the stack") {
  CHECK(!json::find_fault(nested(128)));
  CHECK(json::find_fault(nested(129)).value_or("") ==
        "expected at most 128 levels of nesting at byte 128, found '['");
  CHECK(json::find_fault(repeat("[", 1'000'000)));
  CHECK(json::find_fault(repeat("{\"a\":", 1'000'000)));
  CHECK(!json::find_fault("[" + repeat(nested(127) + ",", 50) + "1e400]"));
}

TEST_CASE("json: the nesting of a text is its deepest") {
  CHECK(json::find_nesting("7") == 0);
  CHECK(json::find_nesting("[1, {\"a\": []}, [2]]") == 3);
  CHECK(json::find_nesting("[[[1e400]], 1]") == 3);  // the scan restarts at the number
  CHECK(json::find_nesting("[") == tl::unexpected(*json::find_fault("[")));
}

TEST_CASE("json: a fault says what was expected, where, and what was found") {
  CHECK(json::find_fault("{\"a\":}") == "expected a value at byte 5, found '}'");
  CHECK(json::find_fault("") == "expected a value at byte 0, found the end");
  CHECK(json::find_fault("[1") == "expected ',' or ']' after the element at byte 2, found the end");
  CHECK(json::find_fault("{} \xFF") ==
        "expected the end after the value at byte 3, found the byte 0xff");
  CHECK(json::find_fault("{}\0"sv) ==
        "expected the end after the value at byte 2, found the byte 0x00");
  // the offset is that in the text, although the masked copy was read
  CHECK(json::find_fault("[1e400, \"\\ud800\", x]") == "expected a value at byte 18, found 'x'");
}

TEST_CASE("json: a mask is as long as the text and changes only what RapidJSON refuses") {
  CHECK(json::mask("[1e400]") == "[0.000]");
  CHECK(json::mask(R"([-1e999,1e1,"1e400"])") == R"([0.0000,1e1,"1e400"])");
  CHECK(json::mask("1e4001e400") == "1e4001e400");
  CHECK(json::mask("\"\\ud800\\ud83d\\ude39\\udc00\"") == "\"\\ufffd\\ud83d\\ude39\\ufffd\"");
  CHECK(json::mask("\"\\\\ud800\"") == "\"\\\\ud800\"");
  CHECK(json::mask("\"\\\"\\ud800\"") == "\"\\\"\\ufffd\"");
  CHECK(json::mask("\\ud800") == "\\ud800");
  for (const auto text : {"\"\\", "\"\\u", "\"\\ud80", "\"\\ud800", "\"\\ud800\\u", "-", ""}) {
    CHECK(json::mask(text).size() == std::string_view(text).size());
  }
}

TEST_CASE("json: a scan reports each key and value, and its place") {
  Recorder recorder;
  CHECK(!json::scan(" {\"a\" : [ 1 , -2.5e3,\"x\\n\"],\"\\u0062\":{ },\"c\":null , \"d\":true}\n",
                    recorder));
  CHECK(recorder.heard ==
        "restart | enter 0 an object | key 1 a | enter 1 an array | a number 2 1 | "
        "a number 2 -2.5e3 | a string 2 \"x\\n\" | an array 1 [ 1 , -2.5e3,\"x\\n\"] | "
        "key 1 b | enter 1 an object | an object 1 { } | key 1 c | null 1 null | key 1 d | "
        "a boolean 1 true | "
        "an object 0 {\"a\" : [ 1 , -2.5e3,\"x\\n\"],\"\\u0062\":{ },\"c\":null , \"d\":true}");
}

TEST_CASE("json: spans lie in the text even where a mask was read") {
  Recorder recorder;
  const std::string text = "[12345,\"\\ud800\" ,1e400, " + repeat("7", 400) + "]";
  CHECK(!json::scan(text, recorder));
  CHECK(recorder.heard ==
        "restart | enter 0 an array | a number 1 12345 | a string 1 \"\\ud800\" | a number 1 1e400 "
        "| a number 1 " +
            repeat("7", 400) + " | an array 0 " + text);
}

TEST_CASE("json: values behind one that RapidJSON refuses are reported as usual, and once") {
  // Each # in turn stands for a string that RapidJSON refuses, the others for one that it accepts.
  const std::string text =
      R"( [{"a":[1,{"b":#,"c":{}},[]],"k":{}, # : [2,#] , "d" :#,"e":[[#]],"f":{"g":{#:3}}},#,4] )";
  const auto heard_of = [&](size_t refused, std::string_view as) {
    std::string one;
    for (const char c : text) {
      if (c == '#') {
        one += refused-- == 0 ? as : R"("\ufffe")";
      } else {
        one += c;
      }
    }
    Recorder recorder;
    CHECK(!json::scan(one, recorder));
    std::string& heard = recorder.heard;
    for (size_t at = heard.find("\\u"); at != heard.npos; at = heard.find("\\u", at + 1))
      heard.replace(at, 6, "\\u....");
    for (const std::string_view decoded : {"\xEF\xBF\xBE", "\xEF\xBF\xBD"}) {
      for (size_t at = heard.find(decoded); at != heard.npos; at = heard.find(decoded))
        heard.replace(at, decoded.size(), "...");
    }
    return heard;
  };
  const std::string plain = heard_of(99, "");
  CHECK(plain.find("restart", 1) == plain.npos);
  for (size_t refused = 0; refused < 7; ++refused) {
    CAPTURE(refused);
    CHECK(heard_of(refused, R"("\ud800")") == plain);
  }
  CHECK(json::find_fault(R"({"a":[1,"\ud800",}})") == "expected a value at byte 17, found '}'");
  CHECK(json::find_fault(R"({"\ud800"})") == "expected ':' after the key at byte 9, found '}'");
  CHECK(json::find_fault("[1e400] x") == "expected the end after the value at byte 8, found 'x'");
}

TEST_CASE("json: of a long key or string a visitor gets the first 4096 bytes, and the whole span") {
  Recorder recorder;
  const std::string key = repeat("k", 4095) + "\\u00e9" + repeat("k", 100);
  CHECK(!json::scan("{\"" + key + "\":0}", recorder));
  CHECK(recorder.heard == "restart | enter 0 an object | key 1 " + repeat("k", 4095) +
                              "\xC3 | a number 1 0 | an object 0 {\"" + key + "\":0}");
  for (const size_t size : {4096u, 4097u, 100'000u}) {
    CHECK(!json::scan("[\"" + repeat("s", size - 1) + "\\t\"]", recorder));
    CHECK(recorder.string == (repeat("s", size - 1) + "\t").substr(0, json::kTextBytesMax));
  }
}

TEST_CASE("json: a fault leaves nothing behind for the next scan") {
  Recorder recorder;
  CHECK(json::scan("[[[\"abc", recorder));
  recorder.heard.clear();
  CHECK(!json::scan("[\"d\"]", recorder));
  CHECK(recorder.heard == "restart | enter 0 an array | a string 1 \"d\" | an array 0 [\"d\"]");
}

TEST_CASE("json: texts too large for the kept reader of a thread are read alike") {
  const std::string text = "\"" + repeat("\xE2\x82\xAC", 1'000'000) + "\"";
  CHECK(!json::find_fault(text));
  CHECK(json::find_fault(text.substr(0, text.size() - 2)));
}

TEST_CASE("json: find_member follows a dotted path") {
  struct Case {
    std::string_view object, path, found;
  };
  const Case kCases[] = {
      {R"({"user_id": 42 })", "user_id", "42"},
      {R"({"user_id":42})", "user", ""},
      {R"({"user": {"id" : [1, 2] }})", "user.id", "[1, 2]"},
      {R"({"user": {"id" : [1, 2] }})", "user", R"({"id" : [1, 2] })"},
      {R"({"user": {"id" : 1}})", "id", ""},
      {R"({"user": {"id" : 1}})", "user.id.x", ""},
      {R"({"user": [{"id" : 1}]})", "user.id", ""},
      {R"({"x": {"id": 1}, "user": {"y": {"id": 2}, "id": 3}, "id": 4})", "user.id", "3"},
      {R"({"a": {"b": {"c": 1}, "d": 2}, "e": 3})", "a.d", "2"},
      {R"({"a": {"b": {"c": 1}, "d": 2}, "e": 3})", "e", "3"},
      {R"({"a": {"b": {"c": 1}}})", "a.b.c", "1"},
      {R"({"a": {"b": {}, "b": {"c": "x"}}})", "a.b.c", "\"x\""},
      {R"({"a":1,"a":"\ud800"})", "a", R"("\ud800")"},  // the last of duplicates
      {R"({"a":{"b":1},"a":{"c":2}})", "a.b", ""},
      {R"({"a":{"b":1},"a":7})", "a.b", ""},
      {R"({"a":{"b":1,"b":2},"c":{"b":3}})", "a.b", "2"},
      {R"({"\u0061": {"b": null}})", "a.b", "null"},
      {R"({"a.b": 1})", "a.b", ""},
      {R"({"a": 1e400})", "a", "1e400"},
      {R"([{"a": 1}])", "a", ""},
      {R"({"": {"": 5}})", ".", "5"},
      {R"({"a": {"": 5}, "": 6})", "a.", "5"},
      {"", "a", ""},
      {"7", "a", ""},
      {R"({"a": 1)", "a", ""},
  };
  for (const Case& c : kCases) {
    CAPTURE(c.object);
    CAPTURE(c.path);
    const std::string_view found = json::find_member(c.object, c.path);
    CHECK(found == c.found);
    if (!found.empty()) CHECK(c.object.find(found) != std::string_view::npos);
  }
}

TEST_CASE("json: find_members looks for many paths at once") {
  const std::vector<std::string> paths = {"a", "b.c", "none", "b"};
  std::vector<std::string_view> found(paths.size(), "stale");
  json::find_members(R"({"b":{"c":"x"},"a":[]})", paths, found);
  CHECK(found == std::vector<std::string_view>{"[]", "\"x\"", "", R"({"c":"x"})"});
  found.assign(paths.size(), "stale");
  json::find_members("", paths, found);
  CHECK(found == std::vector<std::string_view>(4));
}

TEST_CASE("json: quote makes a JSON string of any bytes") {
  CHECK(json::quote("") == "\"\"");
  CHECK(json::quote("a\"b\\c/") == R"("a\"b\\c/")");
  CHECK(json::quote("\n\r\t\x01\x1f\0"sv) == R"("\n\r\t\u0001\u001f\u0000")");
  CHECK(json::quote("\xE2\x82\xAC\xF0\x9F\x98\x80\x7f") == "\"\xE2\x82\xAC\xF0\x9F\x98\x80\x7f\"");
  CHECK(json::quote("a\xFF\xE2\x82") == R"("a\ufffd\ufffd\ufffd")");
  CHECK(json::quote("\xED\xA0\x80") == R"("\ufffd\ufffd\ufffd")");
  std::string all;
  for (int c = 0; c < 256; ++c)
    all += static_cast<char>(c);
  CHECK(!json::find_fault(json::quote(all)));
}
