#include "master/frontend/long_messages.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "loop_support.h"

namespace ringmaster::master {
namespace {

struct Fixture {
  // The message's method is `name`. The thread's message is handed back only when the loop runs,
  // even if it is parsed already.
  void parse(const std::string& client, const std::string& name, bool is_wanted = true) {
    const auto bytes = std::make_shared<const std::string>(
        R"({"jsonrpc": "2.0", "id": 1, "method": ")" + name + R"(", "params": {"a": 1}})");
    bytes_.push_back(bytes);
    owners_.push_back(std::make_unique<char>());
    const auto wanted = std::make_shared<const rpc::Wanted>(rpc::Wanted{{name, {"a"}}});
    messages->parse({owners_.back().get(), client, *bytes, bytes, 1, wanted,
                     [this, name, is_wanted] {
                       asked.push_back(name);
                       if (when_asked) when_asked();
                       return is_wanted;
                     },
                     [this](const rpc::Message& message) {
                       REQUIRE(message.requests.size() == 1);
                       CHECK(std::this_thread::get_id() == loop_thread);
                       CHECK(message.requests[0].found == std::vector<std::string_view>{"1"});
                       parsed.push_back(message.requests[0].method);
                     }});
  }
  void forget(size_t number) { messages->forget(owners_[number].get()); }
  bool is_freed(size_t number) const { return bytes_[number].expired(); }
  // Runs until all messages are freed.
  void run() {
    loop.run_until([this] {
      return std::all_of(bytes_.begin(), bytes_.end(),
                         [](const auto& one) { return one.expired(); });
    });
  }

  test::Loop loop;
  std::optional<LongMessages> messages{loop.get()};
  const std::thread::id loop_thread = std::this_thread::get_id();
  std::vector<std::string> parsed;
  std::vector<std::string> asked;  // names whose is_wanted() was called
  std::function<void()> when_asked;

 private:
  std::vector<std::weak_ptr<const std::string>> bytes_;
  std::vector<std::unique_ptr<char>> owners_;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(Fixture, "long messages: a message is freed once it is parsed and handed back") {
  parse("a", "a1");
  CHECK(!is_freed(0));
  run();
  CHECK(parsed == Names{"a1"});
  CHECK(asked.empty());  // the message has not waited
}

TEST_CASE_FIXTURE(Fixture, "long messages: clients take turns, a message each") {
  for (const char* name : {"b1", "b2", "b3", "c1", "a1", "c2"})
    parse(std::string(1, name[0]), name);
  run();
  CHECK(parsed == Names{"b1", "c1", "a1", "b2", "c2", "b3"});
  CHECK(asked == Names{"c1", "a1", "b2", "c2", "b3"});
}

TEST_CASE_FIXTURE(Fixture, "long messages: an unwanted message is not parsed") {
  parse("a", "a1");
  parse("a", "a2", false);
  parse("a", "a3");
  parse("b", "b1", false);
  run();
  CHECK(asked == Names{"b1", "a2", "a3"});
  CHECK(parsed == Names{"a1", "a3"});
}

TEST_CASE_FIXTURE(Fixture, "long messages: a message that a callback forgets is not handed back") {
  parse("a", "a1");
  parse("a", "a2");
  parse("a", "a3");
  when_asked = [this] {
    forget(0);  // this message is parsed, and not handed back yet
    forget(2);
  };
  run();
  CHECK(asked == Names{"a2"});
  CHECK(parsed == Names{"a2"});
}

TEST_CASE_FIXTURE(Fixture, "long messages: a forgotten message is freed, at once if it waits") {
  parse("a", "a1");
  parse("a", "a2");
  parse("b", "b1");
  parse("a", "a3");
  forget(0);
  CHECK(!is_freed(0));  // this message is being parsed
  forget(1);
  CHECK(is_freed(1));
  forget(2);
  CHECK(is_freed(2));
  run();
  CHECK(parsed == Names{"a3"});
}

TEST_CASE_FIXTURE(Fixture, "long messages: the end frees waiting messages, and hands none back") {
  parse("a", "a1");
  parse("a", "a2");
  messages.reset();
  CHECK(is_freed(1));
  loop.run_until([this] { return is_freed(0); });
  CHECK(parsed.empty());
  CHECK(asked.empty());
}

}  // namespace ringmaster::master
