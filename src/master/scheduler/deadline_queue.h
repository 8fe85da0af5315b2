// DeadlineQueue: the jobs that wait for a worker, earliest deadline first.
//
// The queue is private to the master and long; the ring is shared and short. A job that has left
// the queue cannot be reordered any more, so it leaves only shortly before a worker claims it.
// Limits: at most the jobs of the table.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <tuple>

#include "master/scheduler/ticket.h"

namespace ringmaster::master {

class DeadlineQueue {
 public:
  void push(uint64_t deadline_ns, Ticket ticket) {
    waiting_.emplace(deadline_ns, ticket.slot, ticket.request);
  }

  // The job with the earliest deadline, which stays in the queue.
  std::optional<Ticket> front() const;
  void pop() { waiting_.erase(waiting_.begin()); }
  // Takes a job out that has expired or whose client has left.
  void erase(uint64_t deadline_ns, Ticket ticket) {
    waiting_.erase({deadline_ns, ticket.slot, ticket.request});
  }

 private:
  // Of equal deadlines the lower slot goes first: any total order will do.
  std::set<std::tuple<uint64_t, uint32_t, uint64_t>> waiting_;
};

inline std::optional<Ticket> DeadlineQueue::front() const {
  if (waiting_.empty()) return std::nullopt;
  const auto& [deadline_ns, slot, request] = *waiting_.begin();
  return Ticket{slot, request};
}

}  // namespace ringmaster::master
