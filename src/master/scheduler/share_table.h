// ShareTable: the clients that the workers' time is shared among.
//
// A client is known by a name: its token's, its certificate's subject, its unix user, or else its
// address. The table keeps it while a session holds it or it has jobs, and after that until it has
// the same claim as a new client.
// Pure; the master only. Limits: at most kIdleMax clients are kept without a session or a job.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "master/scheduler/client_times.h"
#include "master/scheduler/flow.h"
#include "master/scheduler/share.h"

namespace ringmaster::master {

struct ClientShare : Share {
  using Share::Share;

  std::string key;
  std::vector<std::unique_ptr<Flow>> flows;
  ClientTimes times;
  uint64_t memory_bytes = 0;  // that its jobs hold
  bool is_listed = false;     // in ShareTable::idle_
};

class ShareTable {
 public:
  static constexpr size_t kIdleMax = 10'000;
  static constexpr double kAddressesWeight = 1;

  enum class Kind : char {
    kNamed = 'n',    // token, certificate, unix user
    kAddress = 'a',  // anyone can have many addresses, so all of them share one weight
  };

  // The client of this name, a new one if need be. The table keeps it while the caller holds it.
  std::shared_ptr<ClientShare> hold(std::string_view name, Kind kind, double weight = 1);
  // The client's last job has ended.
  void on_idle(ClientShare& client);

  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [key, client] : clients_)
      visit(*client);
  }
  ShareGroup& root() { return root_; }
  ShareGroup& addresses() { return addresses_; }
  const ShareGroup& addresses() const { return addresses_; }
  size_t size() const { return clients_.size(); }

 private:
  void list(ClientShare& client);
  void forget_old();

  ShareGroup root_{nullptr, 1};
  ShareGroup addresses_{&root_, kAddressesWeight};
  std::unordered_map<std::string, std::shared_ptr<ClientShare>> clients_;
  // Clients that had no jobs when they were last looked at. The front one is looked at next.
  std::list<ClientShare*> idle_;
};

}  // namespace ringmaster::master
