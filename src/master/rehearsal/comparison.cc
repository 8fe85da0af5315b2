#include "master/rehearsal/comparison.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "base/assert.h"

namespace ringmaster::master {
namespace {

constexpr size_t kExamplesMax = 3;

// So many answers, or one in kUsualOneOf if that is more, may have usual differences: is_usual().
constexpr size_t kUsualMin = 2;
constexpr size_t kUsualOneOf = 10;

// A number lies far outside of its former range if its distance from the range is more than this
// many times the range.
constexpr double kRangesOutside = 1;

// Two runs of a job gave the same number if the difference is at most this part of its range.
constexpr double kSame = 1e-3;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// From 1; equal values share the mean of their ranks.
std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]])
      ++end;
    for (size_t i = begin; i < end; ++i)
      ranks[order[i]] = static_cast<double>(begin + end + 1) / 2;
  }
  return ranks;
}

// The differences of `all` at whose paths `other` has a difference, too.
std::vector<ShapeDifference> common(std::vector<ShapeDifference> all,
                                    const std::vector<ShapeDifference>& other) {
  std::erase_if(all, [&](const ShapeDifference& one) {
    return std::none_of(other.begin(), other.end(),
                        [&](const ShapeDifference& its) { return its.path == one.path; });
  });
  return all;
}

}  // namespace

double rank_correlation(const std::vector<double>& before, const std::vector<double>& now) {
  RM_ASSERT(before.size() == now.size());
  const std::vector<double> a = ranks_of(before), b = ranks_of(now);
  const double mean = static_cast<double>(a.size() + 1) / 2;
  double products = 0, squares_a = 0, squares_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    products += (a[i] - mean) * (b[i] - mean);
    squares_a += (a[i] - mean) * (a[i] - mean);
    squares_b += (b[i] - mean) * (b[i] - mean);
  }
  return squares_a == 0 || squares_b == 0 ? 0 : products / std::sqrt(squares_a * squares_b);
}

void Comparison::begin(size_t job, std::string_view before, uint64_t cpu_ns) {
  at_ = job;
  before_ = AnswerShape::of(before);
  if (job < jobs_.size()) return;  // its second run
  RM_ASSERT(job == jobs_.size());
  jobs_.emplace_back().cpu_before_ns = cpu_ns;
  jobs_.back().before = intern(before_);
  if (before_.is_too_large) return;  // its values are not known
  if (!std::exchange(has_shape_, true)) always_ = before_.types;
  for (const auto& [path, types] : before_.types)
    ever_[path] = static_cast<AnswerShape::Types>(ever_[path] | types);
  for (auto& [path, types] : always_) {
    const auto its = before_.types.find(path);
    const unsigned has = its == before_.types.end() ? 0 : its->second;
    types = static_cast<AnswerShape::Types>(types & has);
  }
}

Comparison::Numbers Comparison::intern(const AnswerShape& shape) {
  Numbers numbers;
  for (const auto& [path, value] : shape.numbers) {
    const auto known = number_ids_.find(path);
    if (known != number_ids_.end()) {
      numbers.emplace_back(known->second, value);
    } else if (number_paths_.size() < kNumbersMax) {
      numbers.emplace_back(number_paths_.size(), value);
      number_ids_.emplace(path, number_paths_.size());
      number_paths_.push_back(path);
    }
  }
  return numbers;
}

void Comparison::on_answer(std::string_view answer, uint64_t cpu_ns) {
  OneJob& job = jobs_[at_];
  const AnswerShape shape = AnswerShape::of(answer);
  const bool is_first = !std::exchange(job.has_answered, true);
  job.has_run = true;
  job.has_failed = false;
  std::vector<ShapeDifference> found = differences(before_, shape);
  job.differences = is_first ? std::move(found) : common(std::move(job.differences), found);
  (is_first ? job.first : job.second) = intern(shape);
  job.cpu_ns = is_first ? cpu_ns : std::min(job.cpu_ns, cpu_ns);
}

void Comparison::on_failure(std::string error) {
  OneJob& job = jobs_[at_];
  job.has_run = true;
  job.has_failed = !job.has_answered;  // failed in each run
  job.error = std::move(error);
}

size_t Comparison::run_count() const {
  return static_cast<size_t>(
      std::count_if(jobs_.begin(), jobs_.end(), [](const OneJob& job) { return job.has_run; }));
}

std::optional<Comparison::Refusal> Comparison::judge() const {
  if (auto refusal = judge_failures()) return refusal;
  if (auto refusal = judge_shapes()) return refusal;
  if (auto refusal = judge_numbers()) return refusal;
  return judge_cpu();
}

std::optional<Comparison::Refusal> Comparison::judge_failures() const {
  Refusal refusal;
  size_t failed = 0;
  for (size_t i = 0; i < jobs_.size(); ++i) {
    if (!jobs_[i].has_failed) continue;
    if (failed++ < kExamplesMax) refusal.examples.push_back(i);
  }
  if (failed == 0) return std::nullopt;
  refusal.why = fmt::format("{} of {} jobs fail that had a result: {}", failed, run_count(),
                            jobs_[refusal.examples.front()].error);
  return refusal;
}

// True: each lost type was missing from some answer before, and each gained type was in some answer
// before.
bool Comparison::is_usual(const ShapeDifference& difference) const {
  const auto types_in = [&](const std::map<std::string, AnswerShape::Types>& all) -> unsigned {
    const auto found = all.find(difference.path);
    return found == all.end() ? 0 : found->second;
  };
  const bool is_loss_usual = (difference.lost & types_in(always_)) == 0;
  const bool is_gain_usual = (difference.gained & ~types_in(ever_)) == 0;
  return is_loss_usual && is_gain_usual;
}

// One difference that is not usual is enough to refuse. A few answers may have usual differences:
// the answer to the same job may depend on the time, or on chance.
std::optional<Comparison::Refusal> Comparison::judge_shapes() const {
  std::vector<size_t> unusual, usual;
  for (size_t i = 0; i < jobs_.size(); ++i) {
    const auto& found = jobs_[i].differences;
    if (found.empty()) continue;
    const bool are_usual =
        std::all_of(found.begin(), found.end(), [this](const auto& one) { return is_usual(one); });
    (are_usual ? usual : unusual).push_back(i);
  }
  const bool are_too_many = usual.size() > std::max(kUsualMin, run_count() / kUsualOneOf);
  std::vector<size_t>& worst = unusual.empty() ? usual : unusual;
  if (unusual.empty() && !are_too_many) return std::nullopt;
  const size_t count = worst.size();
  const std::vector<ShapeDifference>& found = jobs_[worst.front()].differences;
  const auto shown =
      std::find_if(found.begin(), found.end(), [this](const auto& one) { return !is_usual(one); });
  const ShapeDifference& one = shown == found.end() ? found.front() : *shown;
  worst.resize(std::min(count, kExamplesMax));
  return Refusal{
      fmt::format("{} of {} answers have another structure: {} has {} where there was {}", count,
                  run_count(), one.path, describe(one.gained), describe(one.lost)),
      worst};
}

std::vector<Comparison::Column> Comparison::columns() const {
  std::vector<Column> columns(number_paths_.size());
  const auto find = [](const Numbers& numbers, size_t id) -> const double* {
    for (const auto& [its, value] : numbers)
      if (its == id) return &value;
    return nullptr;
  };
  for (const OneJob& job : jobs_) {
    for (const auto& [id, before] : job.before) {
      const double* const now = find(job.first, id);
      if (now == nullptr) continue;
      columns[id].before.push_back(before);
      columns[id].now.push_back(*now);
      const double* const again = find(job.second, id);
      if (again != nullptr) columns[id].changes.push_back(std::abs(*again - *now));
    }
  }
  return columns;
}

// Numbers whose paths have elements' texts are judged apart from those whose paths have indices:
// each group may hide what the other shows.
std::optional<Comparison::Refusal> Comparison::judge_numbers() const {
  const std::vector<Column> all = columns();
  Changes by_index, by_text;
  for (size_t id = 0; id < all.size(); ++id) {
    const Column& column = all[id];
    if (column.before.size() < kNumberJobsMin || column.before == column.now) continue;
    const auto [least, most] = std::minmax_element(column.before.begin(), column.before.end());
    const double range = *most - *least;
    const auto changed = std::count_if(column.changes.begin(), column.changes.end(),
                                       [&](double change) { return change > kSame * range; });
    const bool is_repeatable = 10 * static_cast<size_t>(changed) <= column.changes.size();
    if (range == 0 || !is_repeatable) continue;
    const double now = median(column.now);
    const double outside = std::max(*least - now, now - *most) / range;
    (AnswerShape::is_by_text(number_paths_[id]) ? by_text : by_index)
        .push_back({id, rank_correlation(column.before, column.now), outside});
  }
  if (auto refusal = judge_changes(std::move(by_index))) return refusal;
  return judge_changes(std::move(by_text));
}

std::optional<Comparison::Refusal> Comparison::judge_changes(Changes all) const {
  if (all.empty()) return std::nullopt;
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>((all.size() - 1) / 2);
  std::nth_element(all.begin(), middle, all.end(),
                   [](const Change& a, const Change& b) { return a.outside > b.outside; });
  if (middle->outside > kRangesOutside) {
    return refuse_number(middle->number,
                         fmt::format("{} is, in the median, outside of its former range by {:.1f} "
                                     "times that range",
                                     number_paths_[middle->number], middle->outside));
  }
  std::nth_element(all.begin(), middle, all.end(),
                   [](const Change& a, const Change& b) { return a.correlation < b.correlation; });
  if (middle->correlation >= kCorrelationMin) return std::nullopt;
  return refuse_number(
      middle->number,
      fmt::format("the numbers rank the jobs otherwise: {} has a rank correlation of {:.2f} with "
                  "those before, expected at least {}",
                  number_paths_[middle->number], middle->correlation, kCorrelationMin));
}

// The examples are the jobs whose number has changed most.
Comparison::Refusal Comparison::refuse_number(size_t number, std::string why) const {
  std::vector<std::pair<double, size_t>> changes;
  const auto value_of = [number](const Numbers& numbers) {
    for (const auto& [id, value] : numbers)
      if (id == number) return value;
    return 0.0;
  };
  for (size_t i = 0; i < jobs_.size(); ++i)
    changes.emplace_back(-std::abs(value_of(jobs_[i].first) - value_of(jobs_[i].before)), i);
  std::sort(changes.begin(), changes.end());
  Refusal refusal{std::move(why), {}};
  for (size_t i = 0; i < std::min(kExamplesMax, changes.size()); ++i)
    refusal.examples.push_back(changes[i].second);
  return refusal;
}

std::optional<Comparison::Refusal> Comparison::judge_cpu() const {
  std::vector<double> ratios, more_ns;
  std::vector<std::pair<double, size_t>> worst;
  for (size_t i = 0; i < jobs_.size(); ++i) {
    const OneJob& job = jobs_[i];
    if (!job.has_answered || job.cpu_before_ns == 0) continue;
    const auto before = static_cast<double>(job.cpu_before_ns);
    const auto now = static_cast<double>(job.cpu_ns);
    ratios.push_back(now / before);
    more_ns.push_back(now - before);
    worst.emplace_back(-now / before, i);
  }
  if (!compares_cpu_ || ratios.size() < kCpuJobsMin) return std::nullopt;
  const double ratio = median(ratios), more = median(more_ns);
  if (ratio <= kCpuRatioMax || more < static_cast<double>(kCpuMoreNsMin)) return std::nullopt;
  std::sort(worst.begin(), worst.end());
  Refusal refusal{
      fmt::format("a job needs {:.1f} times the CPU time in the median, {:.1f} ms more; "
                  "at most {} times is allowed",
                  ratio, more / 1e6, kCpuRatioMax),
      {}};
  for (size_t i = 0; i < std::min(kExamplesMax, worst.size()); ++i)
    refusal.examples.push_back(worst[i].second);
  return refusal;
}

}  // namespace ringmaster::master
