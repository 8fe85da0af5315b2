// ReplyLine: replies that are sent in the order in which their requests came, as HTTP demands, and
// become complete in any order; or the answers in the reply to a batch.
//
// Pure. Memory: the complete replies that wait for one before them: held_bytes().
// Limits: as many places as its owner opens.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace ringmaster::master {

class ReplyLine {
 public:
  using Place = uint64_t;

  // The place behind all others.
  Place open() {
    places_.emplace_back();
    return first_ + places_.size() - 1;
  }
  // Fills a place that is open, and appends to `out` all that need wait no longer.
  void complete(Place place, std::string reply, std::string& out) {
    held_bytes_ += reply.size();
    places_[place - first_] = std::move(reply);
    for (; !places_.empty() && places_.front(); ++first_) {
      held_bytes_ -= places_.front()->size();
      out += *places_.front();
      places_.pop_front();
    }
  }

  bool is_empty() const { return places_.empty(); }
  size_t size() const { return places_.size(); }
  size_t held_bytes() const { return held_bytes_; }

 private:
  std::deque<std::optional<std::string>> places_;
  Place first_ = 0;
  size_t held_bytes_ = 0;
};

}  // namespace ringmaster::master
