// ClientTable: how many connections each client holds, and which one can be closed to make room.
//
// A client is a name: see net::client_of() and Session::identify(). An idle connection is one to
// which the server owes nothing: the client has sent no complete request yet, or has been answered.
//
// Processes: the master only. Pure: no I/O, no time.
// Memory:    owns no connection; one list entry for each, and one map entry for each client.
// Cost:      set_idle() is O(1) and allocates nothing, except for the first idle connection of a
//            client that oldest_idle() has passed over. All else is O(log clients), amortised.
#pragma once

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
  // Of one connection; valid until remove().
  using Place = typename Entries::iterator;

  // A connection begins idle.
  Place add(Connection& connection, const std::string& name) {
    Client& client = *clients_.try_emplace(name).first;
    client.second.idle.push_back({&connection, &client, true});
    resize(client, +1);
    ++size_;
    return std::prev(client.second.idle.end());
  }
  void remove(Place place) {
    Client& client = *place->client;
    list_of(place).erase(place);
    resize(client, -1);
    --size_;
  }
  // The connection counts as that client's from now on.
  void rename(Place place, const std::string& name) {
    Client& was = *place->client;
    Client& now = *clients_.try_emplace(name).first;
    if (&was == &now) return;
    Entries& from = list_of(place);
    place->client = &now;
    list_of(place).splice(list_of(place).end(), from, place);
    resize(now, +1);
    resize(was, -1);
  }
  // It comes behind its client's other idle connections, also where it was idle before.
  void set_idle(Place place, bool is_idle) {
    Entries& from = list_of(place);
    place->is_idle = is_idle;
    list_of(place).splice(list_of(place).end(), from, place);
    if (is_idle) rank(*place->client);
  }

  bool is_idle(Place place) const { return place->is_idle; }

  size_t size() const { return size_; }
  size_t count_of(const std::string& name) const {
    const auto found = clients_.find(name);
    return found == clients_.end() ? 0 : found->second.size();
  }
  const std::string& name_of(Place place) const { return place->client->first; }

  // The connection that has been idle for longest, of the client that holds most connections among
  // those that have an idle one. Null: there is no idle connection.
  Connection* oldest_idle() {
    while (!ranking_.empty()) {
      Client& client = *ranking_.rbegin()->second;
      if (!client.second.idle.empty()) return client.second.idle.front().connection;
      unrank(client);  // until it has an idle one: nobody looks at it again before
    }
    return nullptr;
  }

 private:
  struct Connections {
    size_t size() const { return idle.size() + busy.size(); }

    Entries idle;  // the oldest first
    Entries busy;
    size_t rank = 0;  // as in ranking_; 0: it is not in there
  };
  using Client = std::pair<const std::string, Connections>;
  struct Entry {
    Connection* connection;
    Client* client;
    bool is_idle;
  };

  static Entries& list_of(Place place) {
    Connections& connections = place->client->second;
    return place->is_idle ? connections.idle : connections.busy;
  }
  // After it got one more or lost one.
  void resize(Client& client, int by) {
    if (client.second.rank > 0 || by > 0) {
      unrank(client);
      if (client.second.size() > 0) rank(client);
    }
    if (client.second.size() == 0) clients_.erase(clients_.find(client.first));
  }
  void rank(Client& client) {
    if (client.second.rank > 0) return;
    client.second.rank = client.second.size();
    RM_ASSERT(ranking_.emplace(client.second.rank, &client).second);
  }
  void unrank(Client& client) {
    if (client.second.rank > 0) ranking_.erase({client.second.rank, &client});
    client.second.rank = 0;
  }

  std::unordered_map<std::string, Connections> clients_;
  // Clients by their number of connections. Those without an idle one leave it when they are found.
  std::set<std::pair<size_t, Client*>> ranking_;
  size_t size_ = 0;
};

}  // namespace ringmaster::master
