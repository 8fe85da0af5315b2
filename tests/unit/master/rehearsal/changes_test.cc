// Twenty changes of a handler that a rehearsal must refuse, and twenty that it must not, by the
// answers that they give. The scenario `rehearsal` of tests/bench makes the same changes to a
// handler of a running server.
#include <algorithm>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <functional>
#include <random>

#include "master/rehearsal/comparison.h"

namespace ringmaster::master {
namespace {

constexpr size_t kUsers = 100;
constexpr uint64_t kUsualCpuNs = 1'500'000;

std::mt19937 random_numbers;  // seeded in each test

double chance() {
  return std::uniform_real_distribution<double>(0, 1)(random_numbers);
}

double first_feature(size_t user) {
  return static_cast<double>(user * 7919 % 101) / 101;
}

double second_feature(size_t user) {
  return static_cast<double>(user * 104729 % 97) / 97;
}

// What the handler makes of a user: the values as JSON.
struct Scored {
  std::string user, score, best, note, version = "1";
};

std::string ranked(double sports, double news) {
  std::vector<std::pair<double, const char*>> all = {
      {sports, "sports"}, {news, "news"}, {(sports + news) / 2, "tech"}};
  std::sort(all.rbegin(), all.rend());
  std::string elements;
  for (const auto& [score, category] : all)
    elements += fmt::format(R"({}{{"category":"{}","score":{}}})", elements.empty() ? "" : ",",
                            category, score);
  return "[" + elements + "]";
}

Scored scored(size_t user, double first, double second, double weight, double other_weight) {
  return {std::to_string(user), fmt::format("{}", weight * first + other_weight * second),
          ranked(first, second), user % 10 == 0 ? "null" : "\"usual\""};
}

Scored scored(size_t user, double weight = 3, double other_weight = -0.5) {
  return scored(user, first_feature(user), second_feature(user), weight, other_weight);
}

// `at` and `luck` differ from run to run.
std::string text(const Scored& one) {
  return fmt::format(
      R"({{"user_id":{},"score":{},"best":{},"note":{},"version":{},"at":{},"luck":{}}})", one.user,
      one.score, one.best, one.note, one.version, 1e9 + chance(), chance());
}

std::string usual(size_t user) {
  return text(scored(user));
}

std::string replaced(std::string all, std::string_view before, std::string_view now) {
  const size_t at = all.find(before);
  REQUIRE(at != std::string::npos);
  return all.replace(at, before.size(), now);
}

struct Change {
  const char* name;
  std::function<std::string(size_t user)> answer;  // "!ERROR": the job fails
  uint64_t cpu_ns = kUsualCpuNs;
};

// Of one value of the answer.
template <class Edit>
Change edited(const char* name, Edit edit) {
  return {name, [edit](size_t user) {
            Scored one = scored(user);
            edit(one, user);
            return text(one);
          }};
}

Change trained(const char* name, double weight, double other_weight) {
  return {name, [=](size_t user) { return text(scored(user, weight, other_weight)); }};
}

Change failing(const char* name, std::function<bool(size_t user)> fails) {
  return {name, [fails](size_t user) { return fails(user) ? "!it failed" : usual(user); }};
}

Change in_text(const char* name, std::string_view before, std::string_view now) {
  return {name, [=](size_t user) { return replaced(usual(user), before, now); }};
}

bool is_one(size_t user) {
  return user == 37;
}

std::vector<Change> regressions() {
  return {
      {"wrong order of features",
       [](size_t user) {
         return text(scored(user, second_feature(user), first_feature(user), 3, -0.5));
       }},
      trained("wrong sign", -3, -0.5),
      trained("weights of another model", 0.1, 4),
      edited("one constant for all", [](Scored& one, size_t) { one.score = "1.0"; }),
      edited(
          "wrong unit",
          [](Scored& one, size_t) { one.score = fmt::format("{}", std::stod(one.score) + 100); }),
      failing("NaN", [](size_t) { return true; }),
      failing("NaN for one user", is_one),
      edited("null", [](Scored& one, size_t) { one.score = "null"; }),
      edited("null for one user",
             [](Scored& one, size_t user) {
               if (is_one(user)) one.score = "null";
             }),
      edited("null for too many users",
             [](Scored& one, size_t user) {
               if (user % 2 == 0) one.note = "null";
             }),
      edited("null in a list", [](Scored& one, size_t) { one.best.insert(1, "null,"); }),
      edited("a number as text", [](Scored& one, size_t) { one.score = "\"" + one.score + "\""; }),
      in_text("another name", "\"score\":", "\"rating\":"),
      {"a missing member",
       [](size_t user) {
         const std::string best = ranked(first_feature(user), second_feature(user));
         return replaced(usual(user), fmt::format("\"best\":{},", best), "");
       }},
      edited("an empty list", [](Scored& one, size_t) { one.best = "[]"; }),
      {"a list as the result", [](size_t user) { return "[" + usual(user) + "]"; }},
      {"three times slower", usual, 3 * kUsualCpuNs},
      failing("an exception for one user", is_one),
      failing("a crash for one user", is_one),
      failing("a hang for one user", is_one),
  };
}

std::vector<Change> harmless() {
  return {
      {"the same", usual},
      trained("trained again", 2.7, -0.6),
      trained("trained again with other data", 3.4, -0.2),
      edited("noise in the weights",
             [](Scored& one, size_t user) {
               const double noise = 0.1 * static_cast<double>(user % 7) / 7;
               one.score = fmt::format("{}", std::stod(one.score) + noise);
             }),
      edited("calibrated",
             [](Scored& one, size_t) {
               one.score = fmt::format("{}", 1.3 * std::stod(one.score) + 0.1);
             }),
      edited("rounded",
             [](Scored& one, size_t) { one.score = fmt::format("{:.2f}", std::stod(one.score)); }),
      edited("other scores for a tenth",
             [](Scored& one, size_t user) {
               if (user % 10 == 0) one.score = "1.5";
             }),
      edited("one more member",
             [](Scored& one, size_t) { one.version += R"(,"model":{"name":"b"})"; }),
      in_text("one more in an element", "{\"category\":", "{\"rank\":1,\"category\":"),
      edited("one more element",
             [](Scored& one, size_t) {
               one.best.insert(one.best.size() - 1, R"(,{"category":"travel","score":0.1})");
             }),
      edited("another version", [](Scored& one, size_t) { one.version = "2"; }),
      edited("another text",
             [](Scored& one, size_t) {
               if (one.note != "null") one.note = "\"normal\"";
             }),
      {"another order of members",
       [](size_t user) {
         const std::string member = fmt::format("\"user_id\":{},", user);
         return replaced(replaced(usual(user), member, ""), "\"note\":", member + "\"note\":");
       }},
      edited("an integer where it was a float", [](Scored& one, size_t) { one.version = "1.0"; }),
      edited("null for a few others",
             [](Scored& one, size_t user) {
               if (is_one(user)) one.note = "null";
             }),
      {"faster", usual, kUsualCpuNs / 3},
      {"a fifth slower", usual, kUsualCpuNs * 6 / 5},
      failing("an exception now and then", [](size_t) { return chance() < 0.005; }),
      {"a noisy machine", usual, kUsualCpuNs * 19 / 10},
      in_text("blanks", ",", " , "),
  };
}

// As Rehearsal does it: where the first runs would refuse, all jobs are run a second time.
bool is_refused(const Change& change) {
  random_numbers.seed(1);
  Comparison comparison(true);
  for (int run = 0; run < 2; ++run) {
    for (size_t user = 0; user < kUsers; ++user) {
      comparison.begin(user, usual(user), kUsualCpuNs);
      const std::string answer = change.answer(user);
      if (answer.starts_with('!')) {
        comparison.on_failure(answer.substr(1));
      } else {
        comparison.on_answer(answer, change.cpu_ns);
      }
    }
    if (!comparison.judge()) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("comparison: twenty regressions are refused") {
  REQUIRE(regressions().size() == 20);
  for (const Change& change : regressions())
    CHECK_MESSAGE(is_refused(change), change.name);
}

TEST_CASE("comparison: twenty harmless changes are not refused") {
  REQUIRE(harmless().size() == 20);
  for (const Change& change : harmless())
    CHECK_MESSAGE(!is_refused(change), change.name);
}

}  // namespace ringmaster::master
