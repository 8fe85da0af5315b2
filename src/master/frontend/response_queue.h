// ResponseQueue: sends replies in the order of their requests, though they become complete in any
// order. The replies are the responses of an HTTP connection, or the answers in a batch.
//
// Pure. Memory: complete replies that wait for an earlier one: held_bytes().
// Limits: as many places as the owner opens.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace ringmaster::master {

class ResponseQueue {
 public:
  using Place = uint64_t;

  // Opens a place behind all others.
  Place open() {
    places_.emplace_back();
    return first_ + places_.size() - 1;
  }
  // Completes an open place with the text that `append` adds to its argument, and appends to `out`
  // all replies that need not wait any more.
  template <class Append>
  void complete(Place place, Append append, std::string& out) {
    if (place != first_) {
      append(places_[place - first_].emplace());
      held_bytes_ += places_[place - first_]->size();
      return;
    }
    append(out);
    pop();
    while (!places_.empty() && places_.front()) {
      held_bytes_ -= places_.front()->size();
      out += *places_.front();
      pop();
    }
  }

  // Whether no place was opened behind this one.
  bool is_last(Place place) const { return place + 1 == first_ + places_.size(); }
  bool is_empty() const { return places_.empty(); }
  size_t size() const { return places_.size(); }
  size_t held_bytes() const { return held_bytes_; }

 private:
  void pop() {
    places_.pop_front();
    ++first_;
  }

  std::deque<std::optional<std::string>> places_;  // the first one is never complete
  Place first_ = 0;
  size_t held_bytes_ = 0;
};

}  // namespace ringmaster::master
