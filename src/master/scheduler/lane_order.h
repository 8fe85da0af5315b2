// LaneOrder: which of the flows of one lane and one group goes next.
//
// 1. A flow beyond its share whose first job would be late if it began any later ("urgent").
// 2. Among the flows within their shares: the earliest deadline. So while no client is
//    beyond its share, the order is earliest deadline first.
// 3. Else the smallest start tag; the group's virtual time moves up to it.
//
// For predictions, LaneOrder also sums the work of the flows within their shares, up to any
// deadline: this work may go first. Pure; the master only. Limits: O(log flows) an operation.
#pragma once

#include <cstdint>

#include "master/scheduler/flow.h"

namespace ringmaster::master {

class LaneOrder {
 public:
  // `owner`: the group's own flow, which is in the enclosing LaneOrder; null for the root.
  LaneOrder(ShareGroup& group, Flow* owner) : group_(group), owner_(owner) {}

  enum class Rank : uint8_t { kUrgent, kEligible, kPending };
  struct Choice {
    Flow* flow = nullptr;  // null: nothing is queued
    Rank rank = Rank::kPending;
    int64_t key = 0;  // the deadline; kPending: the start tag
  };
  Choice best(int64_t now_ns) const;
  // Whether any flow within its share has a job queued.
  bool has_eligible() const { return !eligible_.empty(); }

  // Adds an entry to a flow, or removes it. Updates the sums of the enclosing orders, too. Call
  // place() next.
  void add(Flow& flow, Entry& entry, bool is_fetching);
  void remove(Flow& flow, Entry& entry);
  // Call when the flow's jobs or its share's tag have changed.
  void place(Flow& flow);
  // Call when the group's virtual time has moved: more flows may be within their shares now.
  void promote();

  Flow* owner() const { return owner_; }
  int64_t work_ns() const { return work_ns_; }
  size_t queued_jobs() const { return queued_jobs_; }
  size_t fetching_jobs() const { return fetching_jobs_; }
  // The work that may go first, of all flows within their shares but `own`; null: of all of them.
  // within_shares_up_to() counts only flows whose first job is due by `deadline_ns`.
  int64_t within_shares_up_to(int64_t deadline_ns, const Flow* own) const;
  int64_t within_shares(const Flow* own) const;
  // The flow's first job; null: none is queued.
  const Entry* first(const Flow& flow) const;
  // The latest time at which the most urgent job must begin; INT64_MAX: no job is queued.
  int64_t must_begin_ns() const;

 private:
  bool is_any_urgent(int64_t now_ns) const;
  void unplace(Flow& flow);

  ShareGroup& group_;
  Flow* owner_;
  SumTree<Flow, &Flow::by_deadline> eligible_;  // value: the work that may go first
  SumTree<Flow, &Flow::by_deadline> fetching_;  // flows within their shares that only fetch
  SumTree<Flow, &Flow::by_start> pending_;
  SumTree<Flow, &Flow::by_urgency> urgent_;  // the flows of pending_
  int64_t work_ns_ = 0;
  size_t queued_jobs_ = 0;
  size_t fetching_jobs_ = 0;
};

}  // namespace ringmaster::master
