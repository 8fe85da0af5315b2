#include "demo/interests/features.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <utility>
#include <vector>

#include "demo/interests/plain_events.h"

using namespace ringmaster::interests;

namespace {

// A user's history as the feature service writes it.
std::string body_of(const std::vector<std::string>& categories, const std::string& separator = "") {
  std::string events;
  for (const std::string& category : categories) {
    events += (events.empty() ? "" : "," + separator) + "{\"category\":" + separator + '"' +
              category + "\"," + separator + "\"ts\":" + separator + "1700000000}";
  }
  return R"({"user_id":42,"events":[)" + events + "]}";
}

std::string fault_of(const std::string& body) {
  User user;
  return read_user(body, "body", user).value_or("");
}

Features features_of(const std::string& body) {
  User user;
  const auto fault = read_user(body, "body", user);
  CHECK_MESSAGE(!fault, fault.value_or(""));
  return user.features;
}

constexpr float kNever = kNeverSeen;

}  // namespace

TEST_CASE("interests features: the vector of a history, as it is defined") {
  // news sports news news local news news: now is news (1); local is 3, sports 13.
  User user;
  CHECK_FALSE(read_user(body_of({"news", "sports", "news", "news", "local", "news", "news"}),
                        "body", user));
  CHECK(user.id == "42");
  const Features expected = {
      0,      5,      0,      1,      0,      0,      0,      0,      0,
      0,      0,      0,      0,      1,      0,      0,      0,  // counts
      kNever, 1,      kNever, 3,      kNever, kNever, kNever, kNever, kNever,
      kNever, kNever, kNever, kNever, 6,      kNever, kNever, kNever,  // how far back
      0,      2,      0,      1,      0,      0,      0,      0,      0,
      0,      0,      0,      0,      1,      0,      0,      0,  // events after news
      2,      2,      4,      2,      2,                          // the newest five
      7,      2,      4,      3};
  CHECK(user.features == expected);
}

TEST_CASE("interests features: no events are a history, too") {
  Features expected{};
  for (size_t i = kCategoryCount; i < 2 * kCategoryCount; ++i)
    expected[i] = kNever;
  CHECK(features_of(R"({"user_id":1,"events":[]})") == expected);
}

TEST_CASE("interests features: a category seen very long ago counts as never seen") {
  std::vector<std::string> categories(1200, "news");
  categories[0] = "bbs";
  categories[150] = "tech";
  categories[201] = "travel";
  const Features features = features_of(body_of(categories));
  CHECK(features[kCategoryCount + 15] == kNever);
  CHECK(features[kCategoryCount + 2] == kNever);
  CHECK(features[kCategoryCount + 16] == 999);
  CHECK(features[15] == 1);
}

TEST_CASE("interests features: the way that events are written makes no difference") {
  const std::vector<std::string> pages = {"news", "msn-sports", "on-air", "news", "frontpage"};
  const Features expected = features_of(body_of(pages));
  CHECK(features_of(body_of(pages, " ")) == expected);
  CHECK(features_of(body_of(pages, "\n\t")) == expected);
  const std::string odd = R"({"x":[{"events":[1]},{}],"events":[)"
                          R"({"ts":1.5e3,"category":"news"},)"
                          R"({"category":"msn-sports","ts":0},)"
                          R"({"category":"on\u002dair","page":{"category":"bbs","ts":"x"}},)"
                          R"({"category":"news","ts":-1},)"
                          R"({"category":"frontpage"}],"user_id":42,"y":null,"z":true})";
  CHECK(features_of(odd) == expected);
}

TEST_CASE("interests features: of duplicate keys the last one counts") {
  User user;
  CHECK_FALSE(read_user(R"({"user_id":1,"events":[{"category":"bbs"}],"user_id":-2,"events":[)"
                        R"({"category":"tech","category":"news"}]})",
                        "body", user));
  CHECK(user.id == "-2");
  CHECK(user.features == features_of(body_of({"news"})));
  // Nothing is left of a user that was read before.
  CHECK(read_user(R"({"events":[]})", "body", user)->find("no such member") != std::string::npos);
}

TEST_CASE("interests features: a million events") {
  const std::vector<std::string> categories(1'000'000, "sports");
  const Features features = features_of(body_of(categories));
  CHECK(features[13] == 1'000'000);
  CHECK(features[2 * kCategoryCount + 13] == 999'999);
}

TEST_CASE("interests features: bad input is refused in words that name the place") {
  const std::string category = "expected one of the 17 categories, found ";
  const std::string id = "user_id: expected an integer of at most 64 bits, found ";
  const auto event = [](const std::string& text) {
    return R"({"user_id":1,"events":[{"category":"news","ts":1},)" + text + "]}";
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", "body: expected an object, found an array"},
      {"null", "body: expected an object, found null"},
      {R"({"events":[]})", id + "no such member"},
      {R"({"user_id":"7","events":[]})", id + "a string"},
      {R"({"user_id":1.5,"events":[]})", id + "another number"},
      {R"({"user_id":18446744073709551616,"events":[]})", id + "another number"},
      {R"({"user_id":{},"events":[]})", id + "an object"},
      {R"({"user_id":1})", "events: expected an array, found no such member"},
      {R"({"user_id":1,"events":{}})", "events: expected an array, found an object"},
      {R"({"user_id":1,"events":"x"})", "events: expected an array, found a string"},
      {event("5"), "events[1]: expected an object, found a number"},
      {event("\"news\""), "events[1]: expected an object, found a string"},
      {event("[]"), "events[1]: expected an object, found an array"},
      {event("{}"), "events[1].category: " + category + "no such member"},
      {event(R"({"category":"foo","ts":2})"), "events[1].category: " + category + "\"foo\""},
      {event(R"({"category":"","ts":2})"), "events[1].category: " + category + "\"\""},
      {event(R"({"category":"News","ts":2})"), "events[1].category: " + category + "\"News\""},
      {event(R"({"category":7,"ts":2})"), "events[1].category: " + category + "a number"},
      {event(R"({"category":null})"), "events[1].category: " + category + "null"},
      {event(R"({"category":["news"]})"), "events[1].category: " + category + "an array"},
      {event(R"({"category":"news","ts":"2"})"), "events[1].ts: expected a number, found a string"},
      {event(R"({"category":"news","ts":{}})"), "events[1].ts: expected a number, found an object"},
  };
  for (const auto& [text, fault] : cases) {
    const std::string& body = text;
    CAPTURE(body);
    CHECK(fault_of(body) == fault);
  }
  const std::string long_name(100, 'x');
  CHECK(fault_of(event(R"({"category":")" + long_name + "\"}")) ==
        "events[1].category: " + category + '"' + long_name.substr(0, 64) + "...\"");
}

TEST_CASE("interests features: what is no JSON is refused with the place of the fault") {
  const std::string whole = body_of({"news", "sports", "tech"});
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(
        fault_of(whole.substr(0, size)).starts_with("body: expected JSON, found a fault at byte"));
  }
  for (const std::string& more : {std::string("x"), std::string("{}"), std::string("\0", 1)}) {
    CHECK(fault_of(whole + more).starts_with("body: expected JSON, found a fault at byte"));
  }
  CHECK(fault_of(body_of({"news"}) + " \n").empty());
  for (const char* ts : {"01", "-", "1.", "+1", "1e", "1 2", "NaN"}) {
    CAPTURE(ts);
    CHECK(fault_of(R"({"user_id":1,"events":[{"category":"news"},{"category":"news","ts":)" +
                   std::string(ts) + "}]}")
              .starts_with("body: expected JSON"));
  }
}

TEST_CASE("interests features: no nesting exhausts the stack") {
  const std::string deep(1'000'000, '[');
  CHECK(fault_of(R"({"user_id":1,"x":)" + deep) ==
        "body: expected a nesting of at most 128, found a deeper one");
  CHECK(fault_of(deep).starts_with("body: expected an object"));
  const std::string flat = std::string(128, '[') + std::string(128, ']');
  CHECK(fault_of(R"({"user_id":1,"x":)" + flat + R"(,"events":[]})").empty());
}

TEST_CASE("interests plain events: read events of the usual form, and stop at any other") {
  const std::string rest = R"(,{"ts":1})" + std::string(PlainEvents::kBytesMax, ' ');
  const std::string text =
      R"(,{"category":"bbs","ts":1}, {"category": "tech", "ts": 123456789012345678})" + rest;
  PlainEvents events(text.data(), text.data() + text.size());
  CHECK(events.next() == find_category("bbs"));
  CHECK(events.next() == find_category("tech"));
  CHECK(events.next() == kNoCategory);
  CHECK(std::string(events.at(), text.data() + text.size()) == rest);
}

TEST_CASE("interests plain events: leave the last bytes of a text to the reader") {
  // A buffer of exactly this size, so that the checked builds find a read beyond it.
  const std::string event = R"(,{"category":"bbs","ts":1})";
  for (ptrdiff_t size = 0; size <= PlainEvents::kBytesMax; ++size) {
    CAPTURE(size);
    std::vector<char> text(size, ' ');
    std::copy_n(event.begin(), std::min<size_t>(size, event.size()), text.begin());
    PlainEvents part(text.data(), text.data() + size);
    const bool is_read = size == PlainEvents::kBytesMax;
    CHECK(part.next() == (is_read ? find_category("bbs") : kNoCategory));
    CHECK(part.at() == text.data() + (is_read ? event.size() : 0));
  }
}

TEST_CASE("interests plain events: take no other category, and no other number, for a usual one") {
  const auto first_of = [](const std::string& category, const std::string& ts) {
    const std::string text = R"(,{"category":")" + category + R"(","ts":)" + ts + "}" +
                             std::string(PlainEvents::kBytesMax, ' ');
    return PlainEvents(text.data(), text.data() + text.size()).next();
  };
  for (const std::string_view name : kCategories) {
    CAPTURE(name);
    CHECK(first_of(std::string(name), "1700000000") == find_category(name));
    // One byte more, one byte less, and one byte changed.
    CHECK(first_of(std::string(name) + "x", "1") == kNoCategory);
    CHECK(first_of(std::string(name.substr(1)), "1") == kNoCategory);
    CHECK(first_of(std::string(name.substr(0, name.size() - 1)), "1") == kNoCategory);
    for (size_t i = 0; i < name.size(); ++i) {
      std::string other(name);
      other[i] ^= 0x20;
      CHECK(first_of(other, "1") == kNoCategory);
    }
  }
  for (const char* ts : {"0", "9", "12345678", "123456789", "123456789012345678"})
    CHECK(first_of("news", ts) == find_category("news"));
  for (const char* ts : {"", "00", "01", "-1", "1.5", "1e3", "1234567/", "1234567:", "12345678 ",
                         "0123456789", "1234567890123456789", "\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8"}) {
    CAPTURE(ts);
    CHECK(first_of("news", ts) == kNoCategory);
  }
}
