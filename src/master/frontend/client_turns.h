// ClientTurns: a queue of items of several clients. The clients take turns, one item each; the
// items of one client keep their order. So a client with many items does not make the others wait
// longer.
//
// Processes: the master only. Pure: no I/O, no time.
// Cost:      push() and pop() are O(log clients).
#pragma once

#include <cstddef>
#include <deque>
#include <iterator>
#include <map>
#include <string>
#include <utility>

namespace ringmaster::master {

template <class Item>
class ClientTurns {
 public:
  bool is_empty() const { return waiting_.empty(); }

  void push(const std::string& client, Item item) { waiting_[client].push_back(std::move(item)); }

  // Clients take turns in the order of their names. REQUIRES: !is_empty().
  Item pop() {
    auto next = waiting_.upper_bound(last_client_);
    if (next == waiting_.end()) next = waiting_.begin();
    last_client_ = next->first;
    Item item = std::move(next->second.front());
    next->second.pop_front();
    if (next->second.empty()) waiting_.erase(next);
    return item;
  }

  template <class Predicate>
  void erase_if(Predicate predicate) {
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      std::erase_if(at->second, predicate);
      at = at->second.empty() ? waiting_.erase(at) : std::next(at);
    }
  }

 private:
  std::map<std::string, std::deque<Item>> waiting_;  // no queue is empty
  std::string last_client_;
};

}  // namespace ringmaster::master
