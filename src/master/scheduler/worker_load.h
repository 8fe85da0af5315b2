// WorkerLoad: the jobs that are published and not done, and when the workers will have done them.
//
// The dispatch window is a time: at most a millisecond of work is published ahead of each worker,
// so no job is published behind a long one, and the earliest deadline goes first among the jobs
// that have not begun. Nor are more payload bytes published ahead than the master handles in a
// millisecond: else the workers have many results ready, and a small one waits behind them. A batch
// that takes longer than the window, or an unknown time, is one unit and waits for a free worker:
// if its jobs were published one by one as they arrive, each would be a batch of one.
//
// The workers take units in the order of publication. So the master knows without asking which
// units have begun: the first ones, as many as there are workers; then the next one whenever a unit
// is done.
// Pure; the master only. Memory: the units of ended jobs are kept for later jobs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <vector>

#include "master/scheduler/lanes.h"

namespace ringmaster::master {

// Jobs that a worker takes together; mostly one.
struct WorkerUnit {
  Lane* lane = nullptr;
  size_t jobs = 0;
  int64_t expected_ns = 0;
  uint64_t bytes = 0;  // of the payloads
  int64_t room_ns = 0;
  bool is_known = true;  // the unit's time is known; else it counts as 0
  bool has_begun = false;
  size_t begun = 0;  // its place in WorkerLoad::begun_
  std::list<WorkerUnit>::iterator self;
};

class WorkerLoad {
 public:
  // The most work that is published ahead of each worker.
  static constexpr int64_t kAheadNs = 1'000'000;
  // What the master needs to copy a job's payload, and to copy and send a result, which is taken to
  // be of the same size.
  static constexpr int64_t kNsPerByte = 4;

  // The workers and the work that a prediction counts.
  struct View {
    size_t workers;  // at least 1
    const Lane* only = nullptr;
    const Lane* skipped = nullptr;
    const Lane* beside_reserved = nullptr;  // set: other lanes with reserved workers do not count

    bool counts(const Lane& lane) const {
      if (only != nullptr) return &lane == only;
      if (&lane == skipped) return false;
      return beside_reserved == nullptr || lane.reserved_workers == 0 || &lane == beside_reserved;
    }
  };

  // With so much work it is worth waking one more worker: to wake one takes longer than many jobs.
  static constexpr int64_t kWorthWakingNs = 50'000;

  void set_workers(size_t count, int64_t now_ns);
  // The workers that predictions count on, at least 1, also while none is up: they are being
  // replaced then.
  size_t workers() const { return expected_workers_; }
  size_t units() const { return waiting_.size() + begun_.size(); }
  size_t jobs() const { return jobs_; }
  size_t idle_workers() const { return workers_ - std::min(workers_, units()); }
  int64_t room_ns() const { return room_ns_; }
  int64_t work_ns() const { return work_ns_; }  // expected, of all units

  // How many workers should be awake for the published work.
  size_t workers_needed() const {
    const size_t worth_waking = static_cast<size_t>(work_ns_ / kWorthWakingNs) + 1;
    return std::min({worth_waking, jobs_, workers_});
  }
  // A job of unknown time takes the room of a long one.
  static int64_t room_of(int64_t expected_ns, bool is_known, uint64_t bytes) {
    const int64_t bytes_ns = kNsPerByte * static_cast<int64_t>(bytes);
    return is_known ? std::min(std::max(expected_ns, bytes_ns), kAheadNs) : kAheadNs;
  }
  bool has_room(int64_t room_ns, int64_t reserved_ns) const {
    const int64_t all_ns = static_cast<int64_t>(workers_) * kAheadNs;
    return workers_ > 0 && room_ns_ + room_ns + reserved_ns <= all_ns;
  }

  WorkerUnit& open(Lane& lane, int64_t now_ns);
  void add(WorkerUnit& unit, int64_t expected_ns, bool is_known, uint64_t bytes);
  // A job of the unit is done, withdrawn or lost.
  void remove(WorkerUnit& unit, int64_t now_ns);
  // The unit will keep its worker for another `left_ns`, whatever was expected.
  void expect(WorkerUnit& unit, int64_t left_ns, int64_t now_ns);

  // The time until `work_ns` of waiting work has begun, after the published work. A unit that
  // has overrun its expected time is expected to run on for half as long as it has overrun.
  double wait_ns(double work_ns, const View& view, int64_t now_ns) const;
  // The work that is published and has not begun.
  double not_begun_ns(const View& view) const;
  // The time until the first worker is free.
  double first_free_ns(const View& view, int64_t now_ns) const;

 private:
  struct Begun {     // in one array: predictions read all of it
    int64_t end_ns;  // when the unit should be done
    const Lane* lane;
    WorkerUnit* unit;
  };

  void begin_waiting(int64_t now_ns);
  void collect_left(const View& view, int64_t now_ns) const;

  size_t workers_ = 0;
  size_t expected_workers_ = 1;
  size_t jobs_ = 0;
  int64_t room_ns_ = 0;
  int64_t work_ns_ = 0;
  int64_t not_begun_ns_ = 0;
  std::list<WorkerUnit> waiting_;  // published and not begun, in this order
  std::list<WorkerUnit> with_workers_;
  std::vector<Begun> begun_;
  std::list<WorkerUnit> unused_;
  mutable std::vector<double> left_ns_;  // the result of collect_left()
};

}  // namespace ringmaster::master
