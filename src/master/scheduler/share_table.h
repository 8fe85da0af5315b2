// ShareTable: the clients that the workers' time is shared among.
//
// A client is known by a name: its token's, its certificate's subject, its unix user, or else its
// address. It is kept while a session or a job holds it, and after that until it can be told from a
// new client by nothing.
// Pure; the master only. Limits: at most kIdleMax clients are kept without a session or a job.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "master/scheduler/flow.h"
#include "master/scheduler/share.h"

namespace ringmaster::master {

struct ClientShare : Share {
  using Share::Share;

  std::string key;
  size_t holders = 0;  // sessions
  std::vector<std::unique_ptr<Flow>> flows;
  bool is_idle = false;
  std::list<ClientShare*>::iterator idle;  // its place in ShareTable::idle_
};

class ShareTable {
 public:
  static constexpr size_t kIdleMax = 10'000;
  static constexpr double kAddressesWeight = 1;

  enum class Kind : char {
    kNamed = 'n',    // token, certificate, unix user
    kAddress = 'a',  // costs nothing: these stand together under one weight
  };

  // The client stays at its place until it is released as often.
  ClientShare& hold(std::string_view name, Kind kind, double weight = 1);
  void release(ClientShare& client);
  // Its last job has ended.
  void on_idle(ClientShare& client);

  ShareGroup& root() { return root_; }
  ShareGroup& addresses() { return addresses_; }
  size_t size() const { return clients_.size(); }

 private:
  void keep_idle(ClientShare& client);
  void forget_old();

  ShareGroup root_{nullptr, 1};
  ShareGroup addresses_{&root_, kAddressesWeight};
  std::unordered_map<std::string, std::unique_ptr<ClientShare>> clients_;
  std::list<ClientShare*> idle_;  // without sessions and jobs, the longest first
};

}  // namespace ringmaster::master
