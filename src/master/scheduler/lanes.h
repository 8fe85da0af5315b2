// Lanes: the workers that methods have to themselves, or may not exceed.
//
// A lane is a set of methods with one limit: see flow.h. `concurrency` bounds how many of its units
// (worker_load.h) are with workers at once; `reserved_workers` are kept free for it.
// Pure; the master only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace ringmaster::master {

struct Lane {
  uint32_t index = 0;
  size_t concurrency = 0;  // 0: no limit
  size_t reserved_workers = 0;
  uint64_t batch = 1;
  size_t out = 0;       // units with workers
  int64_t room_ns = 0;  // the room of these units in the dispatch window

  bool is_at_limit() const { return concurrency > 0 && out >= concurrency; }
  // How many of these idle workers may get a unit.
  size_t usable(size_t idle) const {
    return concurrency > 0 ? std::min(idle, concurrency - std::min(out, concurrency)) : idle;
  }
};

class Lanes {
 public:
  // The first lane is that of the methods without a lane of their own.
  Lanes() { all_.emplace_back(); }

  Lane& add(size_t concurrency, size_t reserved_workers, uint64_t batch) {
    const uint32_t index = static_cast<uint32_t>(all_.size());
    reserved_workers_ += reserved_workers;
    have_limits_ |= concurrency > 0 || reserved_workers > 0;
    return all_.emplace_back(Lane{index, concurrency, reserved_workers, batch});
  }

  bool have_limits() const { return have_limits_; }
  size_t size() const { return all_.size(); }
  Lane& operator[](size_t index) { return all_[index]; }
  const Lane& operator[](size_t index) const { return all_[index]; }
  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }
  // The workers reserved for other lanes. At least one worker is not reserved, if there is any.
  size_t reserved_beside(const Lane& lane, size_t workers) const {
    const size_t others = reserved_workers_ - lane.reserved_workers;
    return std::min(others, workers - std::min<size_t>(workers, 1));
  }
  // The workers reserved for any lane. Here, too, at least one worker is not reserved.
  size_t reserved_workers(size_t workers) const {
    return std::min(reserved_workers_, workers - std::min<size_t>(workers, 1));
  }
  // Whether there are enough workers for all reservations.
  bool are_all_reserved(size_t workers) const {
    return reserved_workers_ <= reserved_workers(workers);
  }
  // The room that other lanes keep free. At least one worker's room is not reserved.
  int64_t reserved_ns(const Lane& lane, size_t workers, int64_t each_ns) const {
    int64_t reserved_ns = 0;
    int64_t used_ns = 0;  // the part of the reserved room that is in use
    if (reserved_workers_ == 0) return 0;
    for (const Lane& other : all_) {
      if (&other == &lane || other.reserved_workers == 0) continue;
      const int64_t own = static_cast<int64_t>(other.reserved_workers) * each_ns;
      reserved_ns += std::max<int64_t>(0, own - other.room_ns);
      used_ns += std::min(own, other.room_ns);
    }
    const int64_t most_ns = static_cast<int64_t>(reserved_workers(workers)) * each_ns - used_ns;
    return std::clamp<int64_t>(most_ns, 0, reserved_ns);
  }

 private:
  std::deque<Lane> all_;
  size_t reserved_workers_ = 0;
  bool have_limits_ = false;
};

}  // namespace ringmaster::master
