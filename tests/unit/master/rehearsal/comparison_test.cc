#include "master/rehearsal/comparison.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <functional>

namespace ringmaster::master {
namespace {

constexpr size_t kJobs = 100;
constexpr uint64_t kCpuNs = 1'000'000;

// Of job i in a run, or "!ERROR".
using Answer = std::function<std::string(size_t i)>;

std::string score(size_t i, double value) {
  return fmt::format(R"({{"id":{},"score":{},"note":{}}})", i, value,
                     i % 10 == 0 ? "null" : "\"x\"");
}

double model(size_t i) {
  return static_cast<double>(i * 37 % kJobs) / kJobs;
}

std::string before(size_t i) {
  return score(i, model(i));
}

void run(Comparison& comparison, const Answer& answer, uint64_t cpu_ns, size_t jobs) {
  for (size_t i = 0; i < jobs; ++i) {
    comparison.begin(i, before(i), kCpuNs);
    const std::string text = answer(i);
    if (text.starts_with('!')) {
      comparison.on_failure(text.substr(1));
    } else {
      comparison.on_answer(text, cpu_ns);
    }
  }
}

// Why the jobs' first runs are refused; empty: they are not.
std::string judge(const Answer& answer, uint64_t cpu_ns = kCpuNs, size_t jobs = kJobs) {
  Comparison comparison(true);
  run(comparison, answer, cpu_ns, jobs);
  const auto refusal = comparison.judge();
  return refusal ? refusal->why : "";
}

// The same after a second run.
std::string judge_twice(const Answer& first, const Answer& second, uint64_t second_cpu_ns = kCpuNs,
                        uint64_t cpu_ns = kCpuNs) {
  Comparison comparison(true);
  run(comparison, first, cpu_ns, kJobs);
  run(comparison, second, second_cpu_ns, kJobs);
  const auto refusal = comparison.judge();
  return refusal ? refusal->why : "";
}

}  // namespace

TEST_CASE("comparison: the same answers pass") {
  CHECK(judge(before) == "");
  CHECK(judge(before, 2 * kCpuNs) == "");
  CHECK(judge_twice(before, before) == "");
  CHECK_FALSE(Comparison(true).judge());
}

TEST_CASE("comparison: a job that fails each time is a reason") {
  const auto fails = [](size_t i) { return i == 37 ? "!error 17" : before(i); };
  Comparison comparison(true);
  run(comparison, fails, kCpuNs, kJobs);
  const auto refusal = comparison.judge();
  REQUIRE(refusal);
  CHECK(refusal->why == "1 of 100 jobs fail that had a result: error 17");
  CHECK(refusal->examples == std::vector<size_t>{37});
  CHECK(judge_twice(fails, fails) == refusal->why);
  CHECK(judge_twice(fails, before) == "");
  CHECK(judge_twice(before, fails) == "");
}

TEST_CASE("comparison: a type that no answer had before is a reason, for one job") {
  const auto null = [](size_t i) {
    return i == 37 ? R"({"id":1,"score":null,"note":"x"})" : before(i);
  };
  const std::string why =
      "1 of 100 answers have another structure: result.score has null where there was number";
  CHECK(judge(null) == why);
  CHECK(judge_twice(null, null) == why);
  CHECK(judge_twice(null, before) == "");
  CHECK(judge([](size_t i) { return i == 37 ? R"({"id":1,"note":"x"})" : before(i); }) ==
        "1 of 100 answers have another structure: result.score has nothing where there was number");
}

TEST_CASE("comparison: a type that some answers had before is no reason, for a tenth of the jobs") {
  const auto null_up_to = [](size_t end) {
    return judge(
        [end](size_t i) { return i < end ? R"({"id":1,"score":0.5,"note":null})" : before(i); });
  };
  CHECK(null_up_to(11) == "");  // of two of which it was null before
  CHECK(null_up_to(13) ==
        "11 of 100 answers have another structure: result.note has null where there was string");
}

TEST_CASE("comparison: numbers that rank the jobs alike pass") {
  CHECK(judge([](size_t i) { return score(i, 0.9 * model(i) + 0.2); }) == "");
  CHECK(judge([](size_t i) { return score(i, model(i) + 0.3 * model(i * 7 % kJobs)); }) == "");
  CHECK(judge([](size_t i) { return score(i, i % 4 == 0 ? 0.5 : model(i)); }) == "");
}

TEST_CASE("comparison: numbers that rank the jobs otherwise are a reason") {
  const std::string why =
      "the numbers rank the jobs otherwise: result.score has a rank correlation";
  const auto other = [](size_t i) { return score(i, model(i * i % 89)); };
  CHECK(judge(other).starts_with(why));
  CHECK(judge_twice(other, other).starts_with(why));
  CHECK(judge([](size_t i) { return score(i, 1 - model(i)); }).starts_with(why + " of -1.00"));
  CHECK(judge([](size_t i) { return score(i, 0.5 + 0 * model(i)); }).starts_with(why + " of 0.00"));
  CHECK(judge(other, kCpuNs, Comparison::kNumberJobsMin - 1) == "");  // too few to say
}

TEST_CASE("comparison: a sorted list is compared by what its numbers are about") {
  const auto ranked = [](size_t i, bool is_a) {
    const double more = 0.5 + model(i) / 2;
    return fmt::format(R"([{{"of":"{}","n":{}}},{{"of":"{}","n":{}}}])", is_a ? 'a' : 'b', more,
                       is_a ? 'b' : 'a', 1 - more);
  };
  const auto judge_ranked = [&](bool is_swapped) -> std::string {
    Comparison comparison(true);
    for (size_t i = 0; i < kJobs; ++i) {
      comparison.begin(i, ranked(i, i % 2 == 0), kCpuNs);
      comparison.on_answer(ranked(i, (i % 2 == 0) != is_swapped), kCpuNs);
    }
    const auto refusal = comparison.judge();
    return refusal ? refusal->why : "";
  };
  CHECK(judge_ranked(false) == "");
  CHECK(judge_ranked(true).find("\"].n has a rank correlation of -") != std::string::npos);
}

TEST_CASE("comparison: numbers far outside of their range are a reason") {
  CHECK(judge([](size_t i) { return score(i, 100 * model(i)); }) ==
        "result.score is, in the median, outside of its former range by 49.5 times that range");
  CHECK(judge([](size_t i) {
          return score(i, model(i) - 3);
        }).starts_with("result.score is, in the median, outside"));
}

TEST_CASE("comparison: numbers that differ from run to run say nothing") {
  const auto random = [](size_t seed) {
    return [seed](size_t i) { return score(i, model(i * seed % 89)); };
  };
  CHECK(judge_twice(random(31), random(53)) == "");
}

TEST_CASE("comparison: twice the CPU time is a reason, in the median and in both runs") {
  const std::string why =
      "a job needs 3.0 times the CPU time in the median, 2.0 ms more; at most 2 "
      "times is allowed";
  CHECK(judge(before, 3 * kCpuNs) == why);
  CHECK(judge_twice(before, before, 3 * kCpuNs, 3 * kCpuNs) == why);
  CHECK(judge_twice(before, before, kCpuNs, 3 * kCpuNs) == "");
  CHECK(judge(before, 3 * kCpuNs, Comparison::kCpuJobsMin - 1) == "");
  Comparison batched(false);
  run(batched, before, 3 * kCpuNs, kJobs);
  CHECK_FALSE(batched.judge());
}

TEST_CASE("comparison: less than 0.2 ms more is noise") {
  Comparison comparison(true);
  for (size_t i = 0; i < kJobs; ++i) {
    comparison.begin(i, before(i), 50'000);
    comparison.on_answer(before(i), 200'000);
  }
  CHECK_FALSE(comparison.judge());
}

TEST_CASE("rank correlation: by ranks, which equal values share") {
  CHECK(rank_correlation({1, 2, 3}, {10, 200, 3000}) == doctest::Approx(1));
  CHECK(rank_correlation({1, 2, 3}, {3, 2, 1}) == doctest::Approx(-1));
  CHECK(rank_correlation({1, 1, 2, 2}, {1, 2, 1, 2}) == doctest::Approx(0));
  CHECK(rank_correlation({1, 2}, {5, 5}) == 0);
}

}  // namespace ringmaster::master
