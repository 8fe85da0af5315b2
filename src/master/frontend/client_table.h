// ClientTable: how many connections each client holds, and which one can be closed to make room.
//
// A client is a name: see net::client_of() and Session::identify(). A connection is idle while all
// of its complete requests are answered. A connection is known once it has shown the token or the
// certificate that is required. If none is required, every connection is known. Unknown connections
// are closed before known ones.
//
// Processes: the master only. Pure: no I/O, no time.
// Memory:    owns no connection; one list entry for each, and one map entry for each client.
// Cost:      set_idle() is O(1) and allocates nothing, unless it puts the client back into
//            ranking_, from which oldest_idle() and resize() remove clients that have no idle
//            connection. All else is O(log clients), amortised.
#pragma once

#include <array>
#include <cstddef>
#include <list>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/assert.h"

namespace ringmaster::master {

template <class Connection>
class ClientTable {
  struct Entry;
  using Entries = std::list<Entry>;

 public:
  // A connection's entry; valid until remove().
  using Place = typename Entries::iterator;

  // A new connection is idle.
  Place add(Connection& connection, const std::string& name, bool is_known) {
    Client& client = *clients_.try_emplace(name).first;
    Entries& idle = client.second.idle[is_known];
    idle.push_back({&connection, &client, true, is_known});
    resize(client);
    ++size_;
    return std::prev(idle.end());
  }
  void remove(Place place) {
    Client& client = *place->client;
    list_of(place).erase(place);
    resize(client);
    --size_;
  }
  // The connection counts as this client's from now on, and is known.
  void rename(Place place, const std::string& name) {
    Client& was = *place->client;
    Client& now = *clients_.try_emplace(name).first;
    if (&was == &now && place->is_known) return;
    Entries& from = list_of(place);
    place->client = &now;
    place->is_known = true;
    list_of(place).splice(list_of(place).end(), from, place);
    resize(now);
    if (&was != &now) resize(was);
  }
  // An idle connection becomes the last of its client's idle ones, also if it was idle before.
  void set_idle(Place place, bool is_idle) {
    Entries& from = list_of(place);
    place->is_idle = is_idle;
    list_of(place).splice(list_of(place).end(), from, place);
    if (is_idle) rank(*place->client, place->is_known);
  }

  bool is_idle(Place place) const { return place->is_idle; }

  size_t size() const { return size_; }
  size_t count_of(const std::string& name) const {
    const auto found = clients_.find(name);
    return found == clients_.end() ? 0 : found->second.size();
  }
  const std::string& name_of(Place place) const { return place->client->first; }

  // Finds the client with most connections among those with an idle one, and returns its longest
  // idle connection. Unknown connections come before known ones. Null: none is idle.
  Connection* oldest_idle() {
    Connection* const found = oldest_idle(false);
    return found != nullptr ? found : oldest_idle(true);
  }

 private:
  struct Connections {
    size_t size() const { return idle[false].size() + idle[true].size() + busy.size(); }

    std::array<Entries, 2> idle;  // by is_known; the oldest first
    Entries busy;
    std::array<size_t, 2> rank{};  // the client's rank in ranking_; 0: it is not in there
  };
  using Client = std::pair<const std::string, Connections>;
  struct Entry {
    Connection* connection;
    Client* client;
    bool is_idle;
    bool is_known;
  };

  static Entries& list_of(Place place) {
    Connections& connections = place->client->second;
    return place->is_idle ? connections.idle[place->is_known] : connections.busy;
  }
  Connection* oldest_idle(bool is_known) {
    Ranking& ranking = ranking_[is_known];
    while (!ranking.empty()) {
      Client& client = *ranking.rbegin()->second;
      const Entries& idle = client.second.idle[is_known];
      if (!idle.empty()) return idle.front().connection;
      unrank(client, is_known);  // until the client has an idle connection again
    }
    return nullptr;
  }
  // Call after a client's number of connections changed, or one became known.
  void resize(Client& client) {
    for (const bool is_known : {false, true}) {
      unrank(client, is_known);
      if (!client.second.idle[is_known].empty()) rank(client, is_known);
    }
    if (client.second.size() == 0) clients_.erase(clients_.find(client.first));
  }
  void rank(Client& client, bool is_known) {
    size_t& rank = client.second.rank[is_known];
    if (rank > 0) return;
    rank = client.second.size();
    RM_ASSERT(ranking_[is_known].emplace(rank, &client).second);
  }
  void unrank(Client& client, bool is_known) {
    const size_t rank = std::exchange(client.second.rank[is_known], 0);
    if (rank > 0) ranking_[is_known].erase({rank, &client});
  }

  std::unordered_map<std::string, Connections> clients_;
  // Clients by their number of connections: [false] those with an unknown idle connection, [true]
  // those with a known idle one. oldest_idle() removes a client that has none any more.
  using Ranking = std::set<std::pair<size_t, Client*>>;
  std::array<Ranking, 2> ranking_;
  size_t size_ = 0;
};

}  // namespace ringmaster::master
