// interests: predicts a user's next page from the pages before.
//
//   {"user_id":42,"events":[{"category":"sports","ts":1700000000},...]}    oldest first
//   -> {"user_id":42,"interests":[{"category":"sports","score":0.61},...]}
//
// The user comes from the body that the step before fetched (input 0; further inputs are ignored)
// or, without a step before, from the params. The result repeats the user_id.
// Result:  all 17 categories, the likeliest first, those of equal score in the order of
//          categories.h. A score is the probability that the next page is of that category; all
//          scores sum to 1. A score read as a float32 is exactly the model's output.
// No events: the scores are those of a user's first page. The model was trained for these, too.
// Errors:  faults that read_user() finds: RM_UPSTREAM_FAILED for a body, RM_INVALID_PARAMS for
//          params.
// Options: model: the path of a .ubj file, see conf/models/README.md. Required.
// Cost:    some 10 ns an event, and for the model some 20 us for a job alone, a third of that for
//          each job in a batch of 64: see tests/bench/aggregation.py.
#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

#include <ringmaster/handler.hpp>

#include "demo/interests/description.h"
#include "demo/interests/features.h"
#include "demo/interests/model.h"

namespace {

using namespace ringmaster::interests;
using ringmaster::Job;

using Scores = std::span<const float, kCategoryCount>;

// The longest entry is {"category":"msn-sports","score":1.17549435e-38}, and the frame is
// {"user_id":,"interests":[]}.
constexpr size_t kResultBytesMax = kCategoryCount * 64 + 64;

class Text {
 public:
  explicit Text(char* begin) : begin_(begin), end_(begin) {}
  void add(std::string_view text) { end_ = std::copy(text.begin(), text.end(), end_); }
  void add(float number) { end_ = std::to_chars(end_, end_ + 32, number).ptr; }
  size_t size() const { return static_cast<size_t>(end_ - begin_); }

 private:
  char* begin_;
  char* end_;
};

void answer(const Job& job, std::string_view user_id, Scores scores) {
  char* room = job.reserve(kResultBytesMax + user_id.size());
  if (room == nullptr) return;
  std::array<size_t, kCategoryCount> order;
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  Text text(room);
  text.add("{\"user_id\":");
  text.add(user_id);
  text.add(",\"interests\":[");
  for (size_t i = 0; i < kCategoryCount; ++i) {
    text.add(i == 0 ? "{\"category\":\"" : ",{\"category\":\"");
    text.add(kCategories[order[i]]);
    text.add("\",\"score\":");
    text.add(scores[order[i]]);
    text.add("}");
  }
  text.add("]}");
  job.commit(text.size());
}

class Interests {
 public:
  static constexpr const char* kDescription = ringmaster::interests::kDescription;

  explicit Interests(ringmaster::Options& options) : model_(options.text("model")) {}

  void warm_up() {
    const Features nobody{};
    model_.predict({&nobody, 1});
  }

  void self_test() {
    const Features nobody{};
    const std::span<const float> scores = model_.predict({&nobody, 1});
    const float sum = std::accumulate(scores.begin(), scores.end(), 0.0f);
    if (!(sum > 0.999f && sum < 1.001f)) {
      throw std::runtime_error("expected scores that sum to 1, found " + std::to_string(sum));
    }
  }

  void run(std::span<const Job> jobs) {
    asked_.clear();
    ids_.clear();
    rows_.clear();
    for (const Job& job : jobs)
      read(job);
    if (rows_.empty()) return;
    const std::span<const float> scores = model_.predict(rows_);
    for (size_t i = 0; i < rows_.size(); ++i) {
      answer(*asked_[i], ids_[i], Scores(scores.subspan(i * kCategoryCount, kCategoryCount)));
    }
  }

 private:
  void read(const Job& job) {
    const bool is_fetched = job.input_count() > 0;
    User user;
    const auto fault = is_fetched ? read_user(job.input(0), "body", user)
                                  : read_user(job.params(), "params", user);
    if (fault) return job.fail(is_fetched ? RM_UPSTREAM_FAILED : RM_INVALID_PARAMS, *fault);
    asked_.push_back(&job);
    ids_.push_back(user.id);
    rows_.push_back(user.features);
  }

  Model model_;
  // Each has one entry for every job of the current batch that needs a prediction.
  std::vector<const Job*> asked_;
  std::vector<std::string> ids_;
  std::vector<Features> rows_;
};

}  // namespace

RINGMASTER_HANDLER(Interests)
