// Comparison: compares the answers of the next generation to one method's jobs with those that the
// serving generation gave, and judges whether the next generation must be refused.
//
// It is refused for any of these reasons, in this order:
// - a job fails that had a result;
// - an answer has lost a value or a JSON type that all answers before have, or has a type in a
//   place where none of them has it; or many answers differ in other ways: see judge_shapes();
// - the numbers say something else. Each number that changed has a rank correlation with its values
//   before, and a distance of its median from its former range. The median of the correlations is
//   below kCorrelationMin, or the median of the distances is more than one range. A model
//   that was trained again gives other numbers, but in about the same order: users with a high
//   score still have one. Wrong features change the order. Only numbers that came out the same in
//   both runs of a job count, so no times, counters or random numbers;
// - it needs more than kCpuRatioMax times the CPU time, in the median.
//
// Each job is run once. If the first runs give a reason to refuse, all jobs of the method are run a
// second time, and only differences in both runs count.
// Pure; the master only.
// Cost:   a few hundred ns for each value of an answer. judge() takes some 60 ms for 1,000 jobs of
//         100 numbers.
// Limits: kNumbersMax numbers of all answers.
// Privacy: a refusal shows neither params nor answers, since it goes to the log and the status. It
//         may show a path, which has names of members and at most one text that many answers share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "master/rehearsal/answer_shape.h"

namespace ringmaster::master {

class Comparison {
 public:
  static constexpr double kCpuRatioMax = 2;
  static constexpr uint64_t kCpuMoreNsMin = 200'000;  // less is noise of a cold cache
  static constexpr size_t kCpuJobsMin = 5;
  static constexpr double kCorrelationMin = 0.5;
  static constexpr size_t kNumberJobsMin = 20;
  static constexpr size_t kNumbersMax = 256;

  // `compares_cpu`: false where the jobs before have run in batches, which costs each one less.
  explicit Comparison(bool compares_cpu) : compares_cpu_(compares_cpu) {}

  // Call it for each run of the job with this index. `before`: the serving generation's answer.
  void begin(size_t job, std::string_view before, uint64_t cpu_ns);
  // Then one of these: how the run ended.
  void on_answer(std::string_view answer, uint64_t cpu_ns);
  void on_failure(std::string error);

  struct Refusal {
    std::string why;               // for people
    std::vector<size_t> examples;  // jobs, the worst first
  };
  std::optional<Refusal> judge() const;

 private:
  using Numbers = std::vector<std::pair<size_t, double>>;  // by an index into number_paths_

  struct OneJob {
    bool has_run = false;
    bool has_failed = false;                   // in each run
    std::string error;                         // of its last failure
    std::vector<ShapeDifference> differences;  // in all runs that answered
    Numbers before;
    Numbers first;   // of the first run that answered
    Numbers second;  // empty: there was none
    uint64_t cpu_before_ns = 0;
    uint64_t cpu_ns = 0;  // the least of its runs
    bool has_answered = false;
  };
  // A number in all jobs that have it.
  struct Column {
    std::vector<double> before, now;
    std::vector<double> changes;  // from one run to the other, of the jobs that were run twice
  };

  // A number that has changed: how it ranks the jobs now, and how far its median is outside of its
  // former range, as a multiple of that range.
  struct Change {
    size_t number;
    double correlation;
    double outside;
  };
  using Changes = std::vector<Change>;

  Numbers intern(const AnswerShape& shape);
  size_t run_count() const;
  bool is_usual(const ShapeDifference& difference) const;
  std::optional<Refusal> judge_failures() const;
  std::optional<Refusal> judge_shapes() const;
  std::optional<Refusal> judge_numbers() const;
  std::optional<Refusal> judge_changes(Changes all) const;
  std::optional<Refusal> judge_cpu() const;
  std::vector<Column> columns() const;
  Refusal refuse_number(size_t number, std::string why) const;

  bool compares_cpu_;
  std::vector<OneJob> jobs_;
  size_t at_ = 0;           // the job that runs
  AnswerShape before_;      // of its answer before
  bool has_shape_ = false;  // an answer before was not too large
  // By path: the types that any of these answers has, and those that all have.
  std::map<std::string, AnswerShape::Types> ever_, always_;
  std::map<std::string, size_t> number_ids_;
  std::vector<std::string> number_paths_;
};

// Spearman's rank correlation. 1: both rank the jobs alike; 0: they have nothing in common; -1: one
// is the reverse of the other. 0 where all values of either are the same. REQUIRES: both have
// equally many values.
double rank_correlation(const std::vector<double>& before, const std::vector<double>& now);

}  // namespace ringmaster::master
