// Scheduler's choice: which job goes to a worker next.
#include <algorithm>

#include "master/scheduler/scheduler.h"

namespace ringmaster::master {

int64_t Scheduler::room_of(const Entry& entry) const {
  const bool is_known = costs_.is_known(entry.method, entry.step);
  const uint64_t jobs = is_whole_unit(entry) ? entry.batch : 1;
  const int64_t run_ns = rounded(static_cast<double>(jobs) * expected_ns(entry));
  return WorkerLoad::room_of(run_ns, is_known, bytes_of(entry));
}

// The payload bytes that count for the dispatch window: none of a step with batches, so that
// batches stay whole.
uint64_t Scheduler::bytes_of(const Entry& entry) const {
  return entry.batch > 1 ? 0 : entry.memory_bytes;
}

// A batch waits for an idle worker if it takes longer than the dispatch window, or if its run time
// is not known yet.
bool Scheduler::is_long_batch(const Entry& entry) const {
  if (entry.batch == 1) return false;
  if (!costs_.is_known(entry.method, entry.step)) return true;
  const double all_ns = static_cast<double>(entry.batch) * expected_ns(entry);
  return all_ns > static_cast<double>(WorkerLoad::kAheadNs);
}

// Whether the entry is published together with others as one unit. The jobs of a short batch are
// units of their own, unless their lane has a limit: else each of them would count.
bool Scheduler::is_whole_unit(const Entry& entry) const {
  const bool is_counted = entry.batch > 1 && lane_of(entry.method).concurrency > 0;
  return is_counted || is_long_batch(entry);
}

Scheduler::Pick Scheduler::descend(const LaneOrder& order, int64_t now_ns) const {
  const LaneOrder::Choice choice = order.best(now_ns);
  if (choice.flow == nullptr) return {};
  Pick pick;
  if (choice.flow->inner != nullptr) pick = descend(*choice.flow->inner, now_ns);
  if (choice.flow->inner == nullptr) pick.entry = &choice.flow->queued.front();
  pick.flows[pick.depth] = choice.flow;
  pick.ranks[pick.depth] = choice.rank;
  ++pick.depth;
  return pick;
}

// Whether other lanes reserve so much room that none is left for this job.
bool Scheduler::is_blocked(const Lane& lane, const Pick& pick) const {
  const int64_t reserved_ns = lanes_.reserved_ns(lane, load_.workers(), WorkerLoad::kAheadNs);
  return reserved_ns > 0 && !load_.has_room(room_of(*pick.entry), reserved_ns);
}

bool Scheduler::is_in_own_reservation(const Lane& lane, const Pick& pick) const {
  const size_t own = std::min(lane.reserved_workers, lanes_.reserved_workers(load_.workers()));
  return lane.room_ns + room_of(*pick.entry) <= static_cast<int64_t>(own) * WorkerLoad::kAheadNs;
}

// While the lane that is first in the order is blocked, only jobs within their own lane's
// reservation go before it. Otherwise short jobs beyond a reservation would keep it blocked for
// ever.
Scheduler::Pick Scheduler::choose_lane(int64_t now_ns) const {
  Pick best, blocked, reserved;
  for (const Lane& lane : lanes_) {
    const LaneOrder& order = orders_.root(lane.index);
    if (order.queued_jobs() == 0 || lane.is_at_limit()) continue;
    Pick pick = descend(order, now_ns);
    const bool is_pending = pick.ranks[pick.depth - 1] == LaneOrder::Rank::kPending;
    // A client's jobs in two lanes have the same start tag: then the deadline decides.
    pick.key = {is_pending, order.best(now_ns).key, pick.entry->deadline_ns};
    const auto take_first = [&pick](Pick& first) {
      if (first.entry == nullptr || pick.key < first.key) first = pick;
    };
    if (is_blocked(lane, pick)) {
      take_first(blocked);
      continue;
    }
    take_first(best);
    if (lane.reserved_workers > 0 && is_in_own_reservation(lane, pick)) take_first(reserved);
  }
  if (best.entry == nullptr || blocked.entry == nullptr || best.key < blocked.key) return best;
  return reserved;
}

Scheduler::Pick Scheduler::choose(int64_t now_ns) {
  if (is_filling(static_cast<uint64_t>(now_ns))) {
    const Pick next = descend(orders_.root(filling_.unit->lane->index), now_ns);
    if (next.entry->step == filling_.step && next.entry->batch > 1) return next;
    filling_ = {};
  }
  const Pick best = choose_lane(now_ns);
  if (best.entry == nullptr) return {};
  if (is_long_batch(*best.entry) ? load_.idle_workers() == 0
                                 : !load_.has_room(room_of(*best.entry), 0))
    return {};
  return best;
}

Entry* Scheduler::next(uint64_t now_ns) {
  pick_ = choose(static_cast<int64_t>(now_ns));
  return pick_.entry;
}

}  // namespace ringmaster::master
