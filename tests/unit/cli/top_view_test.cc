// The view that `ringmaster top` makes of two samples, without a terminal.
#include "cli/top_view.h"

#include <doctest/doctest.h>
#include <iterator>
#include <sstream>
#include <string>

namespace ringmaster::cli {
namespace {

// A page of a server with one method and one worker. The method has given `ok` results, each in the
// bucket up to 4 ms, and `failed` errors. The worker has run for `busy_s`.
std::string page(uint64_t at_s, uint64_t ok, uint64_t failed, double busy_s,
                 const std::string& more = "") {
  const std::string n = std::to_string(ok);
  return R"({"pid":42,"now_ns":)" + std::to_string(at_s * 1'000'000'000) + R"(,"uptime_s":)" +
         std::to_string(at_s) +
         R"(,"status":"serving: 1 of 1 workers are up","overloaded":false,"in_flight":3,"queued":2,
         "bounds_ms":[1,2,4],"methods":{"score":{"ok":)" +
         n + R"(,"errors":[{"code":-32012,"reason":"deadline","count":)" + std::to_string(failed) +
         R"(}],"total":{"counts":[0,0,)" + n + R"(,0]},"run":{"counts":[0,)" + n +
         R"(,0,0]},"queue":{"counts":[)" + n + R"(,0,0,0]},"fetch":{"users":{"took":{"counts":[)" +
         n + R"(,0,0,0]},"failed":{"timeout":)" + std::to_string(failed) + R"(}}}}},
         "workers":[{"slot":0,"pid":50,"state":"busy","method":"score","busy_for_ms":1500,
         "age_s":10,"busy_s":)" +
         std::to_string(busy_s) + R"(,"jobs":)" + n +
         R"(,"private_bytes":3145728,"last_progress_ms":20,"ends":1}],"worker_ends":{"SIGSEGV":1},
         "clients":[{"name":"small","used":0.1,"weight":1,"in_flight":1,"ok":20,"refused":0},
         {"name":"large","used":0.75,"weight":2,"in_flight":2,"ok":)" +
         n + R"(,"refused":)" + std::to_string(failed) + R"(}],
         "upstreams":[{"name":"users","in_flight":4,"waiting":5,"connections":8}])" +
         more + "}";
}

Sample sample(const std::string& text) {
  const std::optional<Sample> parsed = parse_sample(text);
  REQUIRE(parsed);
  return *parsed;
}

// The words of the first line that begins with `begin`.
std::vector<std::string> words(const std::vector<ViewLine>& lines, const std::string& begin) {
  for (const ViewLine& line : lines) {
    if (!line.text.starts_with(begin)) continue;
    std::istringstream text(line.text);
    return {std::istream_iterator<std::string>(text), {}};
  }
  FAIL("no line begins with " << begin);
  return {};
}

using Words = std::vector<std::string>;

TEST_CASE("top: rates and times are those between the samples") {
  const auto lines = view(sample(page(100, 1000, 10, 50)), sample(page(102, 1400, 30, 51)), {});
  CHECK(words(lines, "score") == Words{"score", "210.0", "10.0", "0.0", "3.0", "3.9", "4.0", "1.0",
                                       "2.0", "-32012", "deadline"});
  CHECK(words(lines, "0 ") ==
        Words{"0", "50", "busy", "100", "200.0", "20ms", "3.0M", "10s", "1", "1.5s", "score"});
  CHECK(words(lines, "users") ==
        Words{"users", "200.0", "10.0", "4", "0.5", "0.9", "1.0", "5", "-", "0/0", "-"});
  CHECK(lines[0].text ==
        "ringmaster 42  up 1m  serving: 1 of 1 workers are up  in flight 3  queued 2  rates: last "
        "2s");
  CHECK(lines[1].text == "workers ended:  SIGSEGV 1");
}

TEST_CASE("top: an upstream with an open breaker, ejected addresses and a cache") {
  const auto with = [](uint64_t at_s, const std::string& cache) {
    std::string text = page(at_s, 100, 0, 5);
    const std::string before = R"("connections":8})";
    text.replace(text.find(before), before.size(),
                 R"("breaker_open":true,"addresses":3,"ejected":1,"cache":)" + cache + "}");
    return sample(text);
  };
  const Sample before = with(100, R"({"hit":10,"miss":90,"stale":0,"coalesced":0})");
  const Sample now = with(101, R"({"hit":80,"miss":100,"stale":10,"coalesced":10})");
  const Words last = words(view(before, now, {}), "users");
  CHECK(Words(last.end() - 3, last.end()) == Words{"open", "1/3", "80"});
  CHECK(words(view({}, now, {}), "users").back() == "45");  // since the start
  CHECK(words(view(now, now, {}), "users").back() == "-");  // no fetch
}

TEST_CASE("top: without a sample before, or after a restart, rates are since the start") {
  const Sample now = sample(page(10, 100, 0, 5));
  CHECK(words(view({}, now, {}), "score")[1] == "10.0");
  CHECK(view({}, now, {})[0].text.ends_with("rates: since the start"));
  Sample other = sample(page(500, 9000, 0, 100));
  other.pid = 41;
  CHECK(words(view(other, now, {}), "score")[1] == "10.0");
  other.pid = 42;  // another process with the same pid
  CHECK(words(view(other, now, {}), "score")[1] == "10.0");
}

TEST_CASE("top: the client that uses most is first") {
  const auto lines = view({}, sample(page(10, 1, 0, 0)), {});
  size_t large = 0, small = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].text.starts_with("large")) large = i;
    if (lines[i].text.starts_with("small")) small = i;
  }
  CHECK(large + 1 == small);
}

TEST_CASE("top: the requests and the refusals of each client are those between the samples") {
  const Sample before = sample(page(100, 1000, 10, 50)), now = sample(page(102, 1400, 30, 51));
  const auto lines = view(before, now, {});
  CHECK(words(lines, "large") == Words{"large", "75.0", "2.0", "200.0", "10.0", "2"});
  CHECK(words(lines, "small") == Words{"small", "10.0", "1.0", "0.0", "0.0", "1"});
  Sample without = before;
  without.clients.pop_back();  // the server does not list clients that were idle for a while
  CHECK(words(view(without, now, {}), "large") == Words{"large", "75.0", "2.0", "-", "-", "2"});
  CHECK(words(view({}, now, {}), "large")[3] == "13.7");  // since the start
}

TEST_CASE("top: a client that is only refused is shown before those that use less") {
  const Sample before = sample(page(100, 0, 0, 0));
  Sample now = sample(page(101, 0, 0, 0));
  for (int i = 0; i < 100; ++i)
    now.clients.push_back({"c" + std::to_string(i), 0.001, 1, 0, 0, 0});
  now.clients.push_back({"refused", 0, 1, 0, 0, 900});
  Sample first = before;
  first.clients = now.clients;
  first.clients.back().refused = 0;
  const auto lines = view(first, now, {80, 30});
  CHECK(words(lines, "refused") == Words{"refused", "0.0", "1.0", "0.0", "900.0", "0"});
  CHECK(words(lines, "large").size() > 1);
  CHECK(lines.back().text.ends_with(" more)"));
}

TEST_CASE("top: a client's long name is cut and moves no number, its control characters are none") {
  Sample now = sample(page(10, 100, 0, 5));
  const std::string plain = view({}, now, {}).back().text;
  std::string name = R"(\u001b[2J\u009b\n)";
  for (int i = 0; i < 100; ++i)
    name += "\u00fc";
  std::string text = page(10, 100, 0, 5);
  text.replace(text.find("small"), 5, name);
  const std::string hostile = view({}, sample(text), {}).back().text;
  std::string cut;
  for (int i = 0; i < 25; ++i)
    cut += "\u00fc";
  CHECK(hostile == " [2J   " + cut + plain.substr(32));
}

TEST_CASE("top: the view never has more lines or columns than the screen") {
  const Sample now = sample(page(10, 100, 0, 5));
  for (size_t rows = 0; rows < 40; ++rows) {
    for (const size_t columns : {0, 1, 20, 80}) {
      const auto lines = view({}, now, {columns, rows});
      CHECK(lines.size() <= rows);
      for (const ViewLine& line : lines)
        CHECK(line.text.size() <= columns);
    }
  }
}

TEST_CASE("top: a long table says how many lines it lacks, and leaves the others their place") {
  Sample now = sample(page(10, 100, 0, 5));
  for (uint64_t slot = 1; slot < 100; ++slot) {
    now.workers.push_back(now.workers[0]);
    now.workers.back().slot = slot;
  }
  const auto lines = view({}, now, {120, 30});
  CHECK(lines.size() <= 30);
  CHECK(words(lines, "users").size() > 1);
  CHECK(words(lines, "large").size() > 1);
  const Words lacks = words(lines, "(");
  CHECK(lacks[1] == "more)");
  CHECK(view({}, now, {}).size() > 100);
}

TEST_CASE("top: names are cut between characters, and control characters are blanks") {
  const std::string more = R"(,"upstreams":[{"name":"\u001b[2Jübel\u009b\u007f","in_flight":1}])";
  std::string text = page(10, 1, 0, 0);
  text.replace(text.find(",\n         \"upstreams\""), std::string::npos, more + "}");
  const auto lines = view({}, sample(text), {6, SIZE_MAX});
  CHECK(lines[lines.size() - 5].text == " [2Jüb");
  for (const ViewLine& line : view({}, sample(text), {})) {
    CHECK(line.text.find('\x1b') == std::string::npos);
    CHECK(line.text.find("\xc2\x9b") == std::string::npos);
  }
}

TEST_CASE("top: a text that is no status page is no sample, a page that lacks members is one") {
  CHECK_FALSE(parse_sample(""));
  CHECK_FALSE(parse_sample("[]"));
  CHECK_FALSE(parse_sample(R"({"methods":[]})"));
  const std::optional<Sample> empty =
      parse_sample(R"({"methods":{"a":7,"b":{"total":{"counts":"x"}}},
      "workers":[7,{"pid":-1}],"bounds_ms":["x"]})");
  REQUIRE(empty);
  CHECK(view({}, *empty, {80, 24}).size() > 4);
}

}  // namespace
}  // namespace ringmaster::cli
