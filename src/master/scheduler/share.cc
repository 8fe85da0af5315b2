#include "master/scheduler/share.h"

#include <algorithm>
#include <utility>

namespace ringmaster::master {

void ShareGroup::set_active(Share& member, bool becomes_active) {
  if (member.is_active == becomes_active) return;
  member.is_active = becomes_active;
  active_ += becomes_active ? 1 : -1;
  active_weight_ += becomes_active ? member.weight : -member.weight;
  if (active_ == 0) active_weight_ = 0;  // drops rounding errors
}

void ShareGroup::on_asked(Share& member, uint64_t now_ns, double grain_ns, double workers) {
  member.asked_ns = now_ns;
  if (member.is_recent) {
    recent_.splice(recent_.end(), recent_, member.recent);
  } else {
    member.recent = recent_.insert(recent_.end(), &member);
    member.is_recent = true;
  }
  set_active(member, true);
  while (recent_.front()->asked_ns + kActiveNs < now_ns) {
    Share& oldest = *recent_.front();
    recent_.pop_front();
    oldest.is_recent = false;
    if (oldest.jobs == 0) set_active(oldest, false);
  }
  const double together = kCreditsNs * workers / std::max(active_weight_, 1.0);
  credit_ns_ = rounded(std::max(grain_ns, std::min(kCreditNs, together)));
}

void ShareGroup::on_idle(Share& member) {
  member.was_idle = true;
  idle_finish_max_ = std::max(idle_finish_max_, member.finish);
  if (!member.is_recent) set_active(member, false);
}

void ShareGroup::forget(Share& member) {
  if (member.is_recent) recent_.erase(member.recent);
  if (last_mover_ == &member) last_mover_ = nullptr;
  set_active(member, false);
}

// How much of the member's last credit the work uses; negative work gives it back.
int64_t ShareGroup::use_credit(Share& member, int64_t work_ns) {
  const int64_t left_ns = std::max<int64_t>(member.credit_left_ns, 0);
  member.credit_left_ns = std::max(member.credit_left_ns - work_ns, Share::kLongAgo);
  return left_ns - std::max<int64_t>(member.credit_left_ns, 0);
}

void ShareGroup::move_on_credit(Share& member, int64_t work_ns) {
  member.credit_used_ns += work_ns;
  const double weights = std::max(active_weight_, member.weight);
  virtual_ns_ += rounded(static_cast<double>(work_ns) / weights);
}

void ShareGroup::on_given(Share& member, int64_t work_ns, bool moves_time, uint64_t now_ns,
                          double workers) {
  const int64_t began = start(member);
  if (std::exchange(member.was_idle, false) && virtual_ns_ - credit_ns_ >= member.finish) {
    member.credit_left_ns = rounded(static_cast<double>(credit_ns_) * member.weight);
    member.credit_used_ns = 0;
  }
  const int64_t on_credit_ns = use_credit(member, work_ns);
  if (moves_time) {
    virtual_ns_ = std::max(virtual_ns_, began);
    last_mover_ = &member;
  } else {
    move_on_credit(member, on_credit_ns);
  }
  given_.add(now_ns, static_cast<double>(work_ns), workers);
  member.used.add(now_ns, static_cast<double>(work_ns), workers);
  member.finish = began + member.cost_ns(work_ns);
  finish_max_ = std::max(finish_max_, member.finish);
}

void ShareGroup::on_corrected(Share& member, int64_t more_ns) {
  member.finish += member.cost_ns(more_ns);
  const int64_t on_credit_ns = use_credit(member, more_ns);
  if (last_mover_ != &member) {
    move_on_credit(member, std::max(on_credit_ns, -member.credit_used_ns));
  } else if (more_ns < 0) {
    virtual_ns_ += member.cost_ns(more_ns);
  }
  finish_max_ = std::max(finish_max_, member.finish);
}

}  // namespace ringmaster::master
