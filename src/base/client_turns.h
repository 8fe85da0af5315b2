// ClientTurns: a queue of items of several clients. The clients take turns, one item each; the
// items of one client keep their order. So a client with many items does not make the others wait
// longer.
//
// Pure: no I/O, no time. Not for several threads.
// Cost: O(log clients), except for erase_if() and move_if_sooner().
#pragma once

#include <cstddef>
#include <iterator>
#include <list>
#include <map>
#include <string>
#include <utility>

namespace ringmaster {

template <class Item, class Client = std::string>
class ClientTurns {
  using Queues = std::map<Client, std::list<Item>>;

 public:
  // Where a waiting item is.
  struct Place {
    typename Queues::iterator queue;
    typename std::list<Item>::iterator item;
  };

  bool is_empty() const { return queues_.empty(); }

  Place push(const Client& client, Item item) {
    const auto queue = queues_.try_emplace(client).first;
    return {queue, queue->second.insert(queue->second.end(), std::move(item))};
  }

  // Clients take turns in the order of their names. REQUIRES: !is_empty().
  Item pop() {
    auto next = queues_.upper_bound(last_client_);
    if (next == queues_.end()) next = queues_.begin();
    last_client_ = next->first;
    Item item = std::move(next->second.front());
    erase({next, next->second.begin()});
    return item;
  }

  void erase(Place place) {
    place.queue->second.erase(place.item);
    if (place.queue->second.empty()) queues_.erase(place.queue);
  }

  // Gives an item to the client `to`, if fewer items come before it in that client's queue than in
  // its present queue. Costs a step for each item before it. Returns where the item is now.
  Place move_if_sooner(Place place, const Client& to) {
    const auto there = queues_.find(to);
    const size_t before_there = there == queues_.end() ? 0 : there->second.size();
    size_t before = 0;
    for (auto at = place.item; at != place.queue->second.begin() && before <= before_there; --at)
      ++before;
    if (before <= before_there) return place;
    Item item = std::move(*place.item);
    erase(place);
    return push(to, std::move(item));
  }

  template <class Predicate>
  void erase_if(Predicate predicate) {
    for (auto at = queues_.begin(); at != queues_.end();) {
      at->second.remove_if(predicate);
      at = at->second.empty() ? queues_.erase(at) : std::next(at);
    }
  }

  // The most turns that can come before an item that this client would push now.
  size_t turns_before(const Client& client) const {
    const auto own = queues_.find(client);
    if (own == queues_.end()) return queues_.size();
    return own->second.size() + (own->second.size() + 1) * (queues_.size() - 1);
  }

 private:
  Queues queues_;  // no queue is empty
  Client last_client_{};
};

}  // namespace ringmaster
