// LaneOrders: the orders of all lanes and groups, and each client's flows in them.
//
// Pure; the master only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "master/scheduler/lane_order.h"
#include "master/scheduler/share_table.h"

namespace ringmaster::master {

class LaneOrders {
 public:
  explicit LaneOrders(ShareTable& clients)
      : root_group_(clients.root()), addresses_group_(clients.addresses()) {
    add_lane();
  }

  void add_lane() {
    LaneOrder& above = root_.emplace_back(root_group_, nullptr);
    Flow& flow = addresses_flows_.emplace_back(addresses_group_, above);
    flow.inner = &addresses_.emplace_back(addresses_group_, &flow);
  }

  LaneOrder& root(size_t lane) { return root_[lane]; }
  const LaneOrder& root(size_t lane) const { return root_[lane]; }
  const LaneOrder& of(const ShareGroup& group, size_t lane) const {
    return &group == &root_group_ ? root_[lane] : addresses_[lane];
  }
  // The flow of the group itself; null for the root.
  const Flow* flow_of(const ShareGroup& group, size_t lane) const {
    return of(group, lane).owner();
  }

  Flow& flow(ClientShare& client, size_t lane) {
    if (client.flows.size() <= lane) client.flows.resize(lane + 1);
    if (client.flows[lane] == nullptr) {
      auto& orders = client.parent == &root_group_ ? root_ : addresses_;
      client.flows[lane] = std::make_unique<Flow>(client, orders[lane]);
    }
    return *client.flows[lane];
  }
  const Flow* find_flow(const ClientShare& client, size_t lane) const {
    return lane < client.flows.size() ? client.flows[lane].get() : nullptr;
  }

  // Call when the client's tags have changed.
  void place(ClientShare& client) {
    for (const auto& flow : client.flows)
      if (flow != nullptr && flow->place != Flow::Place::kNone) flow->order.place(*flow);
    if (client.parent == &root_group_) return;
    for (Flow& flow : addresses_flows_)
      if (flow.place != Flow::Place::kNone) flow.order.place(flow);
  }
  // Whether any member of the group within its share has a job queued.
  bool has_eligible(const ShareGroup& group) const {
    const auto& orders = &group == &root_group_ ? root_ : addresses_;
    return std::any_of(orders.begin(), orders.end(),
                       [](const LaneOrder& order) { return order.has_eligible(); });
  }
  // Call when the group's virtual time has moved.
  void promote(const ShareGroup& group) {
    for (LaneOrder& order : &group == &root_group_ ? root_ : addresses_)
      order.promote();
  }

 private:
  ShareGroup& root_group_;
  ShareGroup& addresses_group_;
  std::deque<LaneOrder> root_;  // by lane
  std::deque<LaneOrder> addresses_;
  std::deque<Flow> addresses_flows_;
};

}  // namespace ringmaster::master
