// Features: the model's input for a user, and its reader from JSON.
//
// The feature vector, 60 numbers as float32, of a history of n events, oldest first. "now" is the
// category of the newest event; categories are numbers from 0 in the order of categories.h.
//
//   at      count  what
//    0..16     17  how many events are of category i
//   17..33     17  how many events back category i was last seen, the newest event being 1;
//                  at most kNeverSeen, and kNeverSeen where it was not seen at all
//   34..50     17  how many events of category i came directly after one of category now
//   51..55      5  the five newest events, newest first: category + 1; 0 where there are fewer
//   56          1  n
//   57          1  the length of the run of category now at the end of the history
//   58          1  how many events are of another category than the event before
//   59          1  how many categories were seen
//
// For n = 0 all are 0 except 17..33, which are kNeverSeen. Times (`ts`) are not features.
// interests.py and scripts/train_interests.py compute the same: change all three together. A model
// belongs to one definition; the handler refuses a model with another number of features.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "demo/interests/find_category.h"

namespace ringmaster::interests {

inline constexpr size_t kRecentCount = 5;
inline constexpr size_t kFeatureCount = 3 * kCategoryCount + kRecentCount + 4;
inline constexpr uint64_t kNeverSeen = 1000;

using Features = std::array<float, kFeatureCount>;

// A history, aggregated event by event. Constant size for any number of events. add() counts the
// least that the features need, without a branch: a mispredicted branch would cost more than
// everything else.
class History {
 public:
  // The next event, newer than all before. REQUIRES: category < kCategoryCount.
  void add(uint8_t category) {
    ++followed_[now_][category];
    seen_at_[category] = ++size_;
    recent_ = recent_ << 8 | (category + 1u);
    now_ = category;
  }

  uint64_t size() const { return size_; }
  void write(Features& features) const;

 private:
  using Counts = std::array<uint32_t, kCategoryCount>;

  // [a][b]: how many events of category b came directly after one of category a. The first event
  // counts in the last row.
  std::array<Counts, kCategoryCount + 1> followed_{};
  std::array<uint64_t, kCategoryCount> seen_at_{};  // size_ at the category's last event; 0: none
  uint64_t size_ = 0;
  uint64_t recent_ = 0;       // the eight newest events, one byte each, the newest lowest
  size_t now_ = kNoCategory;  // a uint8_t would be stored anew for each event
};
static_assert(kNoCategory == kCategoryCount);

struct User {
  std::string id;  // a JSON integer
  Features features;
};

// Reads {"user_id":42,"events":[{"category":"sports","ts":1700000000},...]} in one pass, without a
// tree, and aggregates the events, also a million of them. Empty on success; otherwise the fault,
// with the member's name: `events[3].category: expected one of the 17 categories, found "foo"`.
//
// `what` names the text itself in a message: "body", "params".
// Required: user_id, an integer of at most 64 bits; events, an array of objects, which may be
//           empty; in each event category. If there is a ts, it must be a number.
// Ignored:  other members with any value, nested at most 128 deep; invalid UTF-8 in these. Numbers
//           beyond a double and lone surrogate escapes are not ignored: RapidJSON refuses them.
// Twice:    of duplicate keys the last one counts; each must be of the right type.
std::optional<std::string> read_user(std::string_view text, std::string_view what, User& user);

}  // namespace ringmaster::interests
