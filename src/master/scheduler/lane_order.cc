#include "master/scheduler/lane_order.h"

#include <algorithm>

namespace ringmaster::master {
namespace {

// How much of a flow's work may go before that of others: its first job, and as much more as its
// credit allows.
int64_t may_go_first_ns(const Flow& flow, int64_t first_work_ns, const ShareGroup& group) {
  const int64_t credit = std::max<int64_t>(0, group.virtual_ns() - flow.start);
  const int64_t credit_ns =
      rounded(flow.share.weight * static_cast<double>(credit)) + first_work_ns;
  const int64_t work_ns = flow.inner == nullptr ? flow.work_ns : flow.inner->work_ns();
  return std::min(work_ns, credit_ns);
}

}  // namespace

LaneOrder::Choice LaneOrder::best(int64_t now_ns) const {
  if (is_any_urgent(now_ns)) {
    Flow& flow = urgent_.front();
    return {&flow, Rank::kUrgent, first(flow)->deadline_ns};
  }
  if (!eligible_.empty()) return {&eligible_.front(), Rank::kEligible, eligible_.front_key()};
  if (!pending_.empty()) return {&pending_.front(), Rank::kPending, pending_.front_key()};
  return {};
}

// A job beyond its share is urgent if it would be late behind the job that is otherwise next. But
// an urgent job never makes a job late that is within its share.
bool LaneOrder::is_any_urgent(int64_t now_ns) const {
  if (urgent_.empty()) return false;
  const bool has_eligible = !eligible_.empty();
  const Entry& next = *first(has_eligible ? eligible_.front() : pending_.front());
  if (urgent_.front_key() > now_ns + next.work_ns) return false;
  return !has_eligible ||
         now_ns + first(urgent_.front())->work_ns <= next.deadline_ns - next.work_ns;
}

const Entry* LaneOrder::first(const Flow& flow) const {
  if (flow.inner == nullptr) return flow.queued.empty() ? nullptr : &flow.queued.front();
  const Choice choice = flow.inner->best(INT64_MIN);
  return choice.flow == nullptr ? nullptr : flow.inner->first(*choice.flow);
}

int64_t LaneOrder::must_begin_ns() const {
  int64_t earliest = urgent_.empty() ? INT64_MAX : urgent_.front_key();
  if (!eligible_.empty()) {
    const Entry& entry = *first(eligible_.front());
    earliest = std::min(earliest, entry.deadline_ns - entry.work_ns);
  }
  return earliest;
}

void LaneOrder::add(Flow& flow, Entry& entry, bool is_fetching) {
  (is_fetching ? flow.fetching : flow.queued).insert(entry, entry.deadline_ns, entry.work_ns);
  flow.work_ns += entry.work_ns;
  for (LaneOrder* order = this; order != nullptr;
       order = order->owner_ == nullptr ? nullptr : &order->owner_->order) {
    order->work_ns_ += entry.work_ns;
    ++(is_fetching ? order->fetching_jobs_ : order->queued_jobs_);
  }
}

void LaneOrder::remove(Flow& flow, Entry& entry) {
  const bool is_fetching = entry.state == Entry::State::kFetching;
  (is_fetching ? flow.fetching : flow.queued).erase(entry);
  flow.work_ns -= entry.work_ns;
  for (LaneOrder* order = this; order != nullptr;
       order = order->owner_ == nullptr ? nullptr : &order->owner_->order) {
    order->work_ns_ -= entry.work_ns;
    --(is_fetching ? order->fetching_jobs_ : order->queued_jobs_);
  }
}

void LaneOrder::unplace(Flow& flow) {
  switch (flow.place) {
    case Flow::Place::kNone:
      break;
    case Flow::Place::kEligible:
      eligible_.erase(flow);
      break;
    case Flow::Place::kPending:
      pending_.erase(flow);
      urgent_.erase(flow);
      break;
    case Flow::Place::kFetching:
      fetching_.erase(flow);
      break;
  }
  flow.place = Flow::Place::kNone;
}

void LaneOrder::place(Flow& flow) {
  const Entry* queued = first(flow);
  flow.start = group_.start(flow.share);
  const bool is_within = group_.is_within(flow.start);
  if (queued != nullptr && is_within) {
    const int64_t value = may_go_first_ns(flow, queued->work_ns, group_);
    if (flow.place == Flow::Place::kEligible && flow.by_deadline.key == queued->deadline_ns) {
      eligible_.set_value(flow, value);  // the common case
    } else {
      unplace(flow);
      eligible_.insert(flow, queued->deadline_ns, value);
      flow.place = Flow::Place::kEligible;
    }
  } else if (queued != nullptr) {
    const int64_t must_begin =
        flow.inner != nullptr ? flow.inner->must_begin_ns() : queued->deadline_ns - queued->work_ns;
    if (flow.place != Flow::Place::kPending || flow.by_start.key != flow.start ||
        flow.by_urgency.key != must_begin) {
      unplace(flow);
      pending_.insert(flow, flow.start, 0);
      urgent_.insert(flow, must_begin, 0);
      flow.place = Flow::Place::kPending;
    }
  } else {
    unplace(flow);
    const auto& fetching = flow.fetching;
    const int64_t work_ns = flow.inner != nullptr ? flow.inner->work_ns() : flow.work_ns;
    if (is_within && work_ns > 0) {
      // No deadline is searched for a group: all of its fetches count as early ones.
      const int64_t deadline = flow.inner != nullptr ? 0 : fetching.front_key();
      const int64_t first_ns = flow.inner != nullptr ? 0 : fetching.front().work_ns;
      fetching_.insert(flow, deadline, may_go_first_ns(flow, first_ns, group_));
      flow.place = Flow::Place::kFetching;
    }
  }
  if (owner_ != nullptr) owner_->order.place(*owner_);
}

void LaneOrder::promote() {
  while (!pending_.empty() && group_.is_within(pending_.front_key()))
    place(pending_.front());
}

int64_t LaneOrder::within_shares_up_to(int64_t deadline_ns, const Flow* own) const {
  int64_t found = eligible_.sum_up_to(deadline_ns) + fetching_.sum_up_to(deadline_ns);
  if (own != nullptr && own->by_deadline.is_placed && own->by_deadline.key <= deadline_ns)
    found -= own->by_deadline.value;
  return found;
}

int64_t LaneOrder::within_shares(const Flow* own) const {
  int64_t found = eligible_.total() + fetching_.total();
  if (own != nullptr && own->by_deadline.is_placed) found -= own->by_deadline.value;
  return found;
}

}  // namespace ringmaster::master
