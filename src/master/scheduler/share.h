// Share: a weighted claim to the workers' time, of a client or of a group of clients.
//
// A share's `finish` tag grows by the time that the share had a worker, divided by its weight. A
// share that would start no later than its group's virtual time is within its share ("eligible");
// one that starts later is beyond it. The virtual time moves back only in on_corrected() and
// begin_anew().
// A share that got less time than its weight allows may start before its group's virtual time, but
// only by a small credit, however much less it got. While it uses its credit, the virtual time
// moves on. So a share beyond its claim gets its turn even if shares with new credits keep coming.
//
// The root group holds the clients with a token, a certificate or a unix user. Clients known by
// their address alone are together in one group below it, so that many addresses count as one
// client.
//
// Pure; the master only. Tags are ns of a worker for a weight of 1.
// Source: start-time fair queueing (Goyal, Vin, Cheng 1997) with the eligibility of WF2Q+.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <list>
#include <map>

#include "master/scheduler/overload_control.h"

namespace ringmaster::master {

// std::llround without a call of the C library.
inline int64_t rounded(double ns) {
  return static_cast<int64_t>(ns < 0 ? ns - .5 : ns + .5);
}

// The fraction of all workers' time that was given lately.
class Usage {
 public:
  static constexpr double kSpanNs = 500e6;

  void add(uint64_t now_ns, double work_ns, double workers) {
    value_ = at(now_ns) + work_ns / (workers * kSpanNs);
    at_ns_ = now_ns;
  }
  double at(uint64_t now_ns) const {
    if (value_ == 0 || now_ns <= at_ns_) return value_;
    return value_ * std::exp(-static_cast<double>(now_ns - at_ns_) / kSpanNs);
  }

 private:
  double value_ = 0;
  uint64_t at_ns_ = 0;
};

class ShareGroup;

struct Share {
  static constexpr int64_t kLongAgo = INT64_MIN / 2;

  Share(ShareGroup* group, double its_weight) : parent(group), weight(its_weight) {}

  int64_t cost_ns(int64_t work_ns) const { return rounded(static_cast<double>(work_ns) / weight); }

  ShareGroup* parent;  // null: the root group
  double weight;
  int64_t finish = kLongAgo;
  bool was_idle = true;        // since it was last given a worker
  int64_t credit_left_ns = 0;  // of the last credit, as work; below 0: beyond the credit
  int64_t credit_used_ns = 0;  // of the last credit, as work: it moved the group's virtual time
  int64_t waiting_ns = 0;      // work that is admitted and not published
  uint64_t jobs = 0;           // admitted and not ended
  uint64_t asked_ns = 0;
  bool is_active = false;
  bool is_recent = false;
  std::list<Share*>::iterator recent;  // its place in ShareGroup::recent_
  Usage used;                          // the workers' time that the share got
  OverloadControl overload;            // of the requests that wait for workers
  // By lane: of those that wait for the lane's `concurrency`. Made by the first refusal.
  std::map<uint32_t, OverloadControl> overload_at_limit;

  bool is_overloaded(uint64_t now_ns) const {
    return overload.is_on(now_ns) || std::ranges::any_of(overload_at_limit, [&](const auto& one) {
             return one.second.is_on(now_ns);
           });
  }
};

class ShareGroup : public Share {
 public:
  // A share is active if it has jobs, or had a request within this time.
  static constexpr uint64_t kActiveNs = 1'000'000'000;
  // The credit of a share that was idle, for a weight of 1. The credits of all active shares
  // together are at most kCreditsNs for each worker.
  static constexpr double kCreditNs = 100e6;
  static constexpr double kCreditsNs = 1e9;

  using Share::Share;

  int64_t virtual_ns() const { return virtual_ns_; }
  double active_weight() const { return active_weight_; }
  // The part of the group's time that the member may have while all active members ask for theirs.
  double claim(const Share& member) const {
    return member.weight / std::max(active_weight_, member.weight);
  }
  // Whether other members of the group are active.
  bool has_rivals(const Share& member) const { return active_ > (member.is_active ? 1u : 0u); }
  int64_t credit_ns() const { return credit_ns_; }
  // The workers' time that members got lately.
  const Usage& given() const { return given_; }

  int64_t start(const Share& member) const {
    return std::max(member.finish, virtual_ns_ - credit_ns_);
  }
  bool is_within(int64_t start_tag) const { return start_tag <= virtual_ns_; }

  // A request of this member arrives. `grain_ns`: a typical job.
  void on_asked(Share& member, uint64_t now_ns, double grain_ns, double workers);
  // The member's last job has ended.
  void on_idle(Share& member);
  // The member, which has no jobs, is about to be destroyed.
  void forget(Share& member);

  // The member is given a worker. `moves_time`: the group's virtual time moves up to the member's
  // start, because no member within its share had a job. Else the virtual time moves on if the
  // member uses its credit.
  void on_given(Share& member, int64_t work_ns, bool moves_time, uint64_t now_ns, double workers);
  // The member has used `more_ns` more than on_given() was told; negative: less. If the virtual
  // time last moved up to this member's start, it moves back with it. Otherwise a member beyond its
  // share would be within it whenever it was charged too much. If not, it moves as far as the used
  // part of the member's credit changes: a client that cancels its jobs does not move it.
  void on_corrected(Share& member, int64_t more_ns);
  // Tags grow for as long as there is work. At this value all tags begin anew, and the time that
  // clients have had beyond their shares is forgotten.
  static constexpr int64_t kTagMax = int64_t{1} << 61;
  bool has_large_tags() const { return virtual_ns_ > kTagMax || finish_max_ > kTagMax; }
  void begin_anew() {
    virtual_ns_ = finish_max_ = idle_finish_max_ = 0;
    last_mover_ = nullptr;
  }
  // There are no jobs at all: the time that members have had beyond their shares is forgotten. The
  // member that has had most gets no credit, or else a client that sends large batches in a loop
  // would have a new one after each moment without jobs.
  void settle() {
    virtual_ns_ = std::max(virtual_ns_, idle_finish_max_);
    last_mover_ = nullptr;
  }

 private:
  void set_active(Share& member, bool becomes_active);
  static int64_t use_credit(Share& member, int64_t work_ns);
  void move_on_credit(Share& member, int64_t work_ns);

  int64_t virtual_ns_ = 0;
  int64_t finish_max_ = 0;
  int64_t idle_finish_max_ = 0;        // of members when they became idle: corrected tags
  const Share* last_mover_ = nullptr;  // the virtual time last moved up to its start
  int64_t credit_ns_ = static_cast<int64_t>(kCreditNs);
  double active_weight_ = 0;
  uint64_t active_ = 0;
  std::list<Share*> recent_;  // members that asked within kActiveNs, the latest at the back
  Usage given_;
};

// The part of all workers' time that the share may have while all active shares ask for theirs.
inline double claim_of(const Share& share) {
  return share.parent == nullptr ? 1 : share.parent->claim(share) * claim_of(*share.parent);
}

}  // namespace ringmaster::master
