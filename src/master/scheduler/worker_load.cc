#include "master/scheduler/worker_load.h"

#include <algorithm>

namespace ringmaster::master {

void WorkerLoad::set_workers(size_t count, int64_t now_ns) {
  workers_ = count;
  if (count > 0) expected_workers_ = count;
  begin_waiting(now_ns);
}

void WorkerLoad::begin_waiting(int64_t now_ns) {
  while (begun_.size() < workers_ && !waiting_.empty()) {
    WorkerUnit& unit = waiting_.front();
    unit.has_begun = true;
    unit.begun = begun_.size();
    not_begun_ns_ -= unit.expected_ns;
    begun_.push_back({now_ns + unit.expected_ns, unit.lane, &unit});
    with_workers_.splice(with_workers_.end(), waiting_, unit.self);
  }
}

WorkerUnit& WorkerLoad::open(Lane& lane, int64_t now_ns) {
  if (unused_.empty()) unused_.emplace_back();
  WorkerUnit& unit = unused_.front();
  waiting_.splice(waiting_.end(), unused_, unused_.begin());
  unit = {.lane = &lane, .self = std::prev(waiting_.end())};
  ++lane.out;
  begin_waiting(now_ns);
  return unit;
}

void WorkerLoad::add(WorkerUnit& unit, int64_t expected_ns, bool is_known, uint64_t bytes) {
  unit.is_known &= is_known;
  ++unit.jobs;
  ++jobs_;
  unit.expected_ns += expected_ns;
  unit.bytes += bytes;
  work_ns_ += expected_ns;
  if (unit.has_begun) {
    begun_[unit.begun].end_ns += expected_ns;
  } else {
    not_begun_ns_ += expected_ns;
  }
  const int64_t room = room_of(unit.expected_ns, is_known, unit.bytes);
  room_ns_ += room - unit.room_ns;
  unit.lane->room_ns += room - unit.room_ns;
  unit.room_ns = room;
}

void WorkerLoad::remove(WorkerUnit& unit, int64_t now_ns) {
  --jobs_;
  if (--unit.jobs > 0) return;
  --unit.lane->out;
  room_ns_ -= unit.room_ns;
  unit.lane->room_ns -= unit.room_ns;
  work_ns_ -= unit.expected_ns;
  if (!unit.has_begun) {
    not_begun_ns_ -= unit.expected_ns;
    unused_.splice(unused_.begin(), waiting_, unit.self);
  } else {
    begun_[unit.begun] = begun_.back();
    begun_[unit.begun].unit->begun = unit.begun;
    begun_.pop_back();
    unused_.splice(unused_.begin(), with_workers_, unit.self);
  }
  begin_waiting(now_ns);
}

void WorkerLoad::expect(WorkerUnit& unit, int64_t left_ns, int64_t now_ns) {
  int64_t more_ns = left_ns - unit.expected_ns;
  if (unit.has_begun) {
    int64_t& end_ns = begun_[unit.begun].end_ns;
    more_ns = left_ns - (end_ns - now_ns);
    end_ns += more_ns;
  } else {
    not_begun_ns_ += more_ns;
  }
  unit.expected_ns += more_ns;
  unit.is_known = true;
  work_ns_ += more_ns;
}

double WorkerLoad::not_begun_ns(const View& view) const {
  if (waiting_.empty()) return 0;
  if (view.only == nullptr && view.skipped == nullptr && view.beside_reserved == nullptr)
    return static_cast<double>(not_begun_ns_);
  int64_t found = 0;
  for (const WorkerUnit& unit : waiting_)
    if (view.counts(*unit.lane)) found += unit.expected_ns;
  return static_cast<double>(found);
}

// The time left of each unit that has begun. If these are more than the view's workers, keeps the
// smallest ones.
void WorkerLoad::collect_left(const View& view, int64_t now_ns) const {
  left_ns_.clear();
  for (const Begun& begun : begun_) {
    if (!view.counts(*begun.lane)) continue;
    const int64_t left_ns = begun.end_ns - now_ns;
    const int64_t overrun_ns = begun.unit->is_known ? -left_ns / 2 : 0;
    left_ns_.push_back(static_cast<double>(left_ns >= 0 ? left_ns : overrun_ns));
  }
  if (left_ns_.size() <= view.workers) return;
  const auto behind = left_ns_.begin() + static_cast<ptrdiff_t>(view.workers);
  std::nth_element(left_ns_.begin(), behind, left_ns_.end());
  left_ns_.resize(view.workers);
}

double WorkerLoad::wait_ns(double work_ns, const View& view, int64_t now_ns) const {
  collect_left(view, now_ns);
  left_ns_.resize(view.workers);  // idle workers: 0
  // Water-filling: the wait is the level at which `work_ns` fills the gaps above the workers' ends.
  // A worker that ends above the level takes no part. Without that worker the level is lower, so
  // the level is computed again until no worker ends above it.
  size_t count = left_ns_.size();
  for (;;) {
    double sum = work_ns;
    double highest = 0;
    for (size_t i = 0; i < count; ++i) {
      sum += left_ns_[i];
      highest = std::max(highest, left_ns_[i]);
    }
    const double level = sum / static_cast<double>(count);
    if (highest <= level || count == 1) return level;
    const auto end = left_ns_.begin() + static_cast<ptrdiff_t>(count);
    const auto below =
        std::partition(left_ns_.begin(), end, [level](double left_ns) { return left_ns <= level; });
    count = static_cast<size_t>(below - left_ns_.begin());
  }
}

double WorkerLoad::first_free_ns(const View& view, int64_t now_ns) const {
  collect_left(view, now_ns);
  if (left_ns_.size() < view.workers || left_ns_.empty()) return 0;
  return *std::min_element(left_ns_.begin(), left_ns_.end());
}

}  // namespace ringmaster::master
