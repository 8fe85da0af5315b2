// ClientTurns: a queue of items of several clients. The clients take turns, one item each; the
// items of one client keep their order. So a client with many items does not make the others wait
// longer.
//
// Pure: no I/O, no time. Not for several threads.
// Cost: O(log clients + log items), except for erase_if().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include <ext/pb_ds/assoc_container.hpp>
#include <ext/pb_ds/tree_policy.hpp>

namespace ringmaster {

template <class Item, class Client = std::string>
class ClientTurns {
  // By the order of their arrival; tells how many items come before one in O(log items).
  using Queue = __gnu_pbds::tree<uint64_t, Item, std::less<>, __gnu_pbds::rb_tree_tag,
                                 __gnu_pbds::tree_order_statistics_node_update>;
  using Queues = std::map<Client, Queue>;

 public:
  // Where a waiting item is.
  struct Place {
    typename Queues::iterator queue;
    uint64_t arrival = 0;
  };

  bool is_empty() const { return queues_.empty(); }

  Place push(const Client& client, Item item) {
    const auto queue = queues_.try_emplace(client).first;
    queue->second[arrivals_] = std::move(item);
    return {queue, arrivals_++};
  }

  // Clients take turns in the order of their names. REQUIRES: !is_empty().
  Item pop() {
    auto next = queues_.upper_bound(last_client_);
    if (next == queues_.end()) next = queues_.begin();
    last_client_ = next->first;
    const auto first = next->second.begin();
    Item item = std::move(first->second);
    erase({next, first->first});
    return item;
  }

  void erase(Place place) {
    place.queue->second.erase(place.arrival);
    if (place.queue->second.empty()) queues_.erase(place.queue);
  }

  // Gives an item to the client `to`, if fewer items come before it in that client's queue than in
  // its present queue. Returns where the item is now.
  Place move_if_sooner(Place place, const Client& to) {
    const auto there = queues_.find(to);
    const size_t before_there = there == queues_.end() ? 0 : there->second.size();
    if (place.queue->second.order_of_key(place.arrival) <= before_there) return place;
    Item item = std::move(place.queue->second[place.arrival]);
    erase(place);
    return push(to, std::move(item));
  }

  template <class Predicate>
  void erase_if(Predicate predicate) {
    for (auto at = queues_.begin(); at != queues_.end();) {
      for (auto item = at->second.begin(); item != at->second.end();)
        item = predicate(item->second) ? at->second.erase(item) : std::next(item);
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
  uint64_t arrivals_ = 0;
};

}  // namespace ringmaster
