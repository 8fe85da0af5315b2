// Flow: the jobs of one client that may run on the same workers; Entry: a job's place among them.
//
// A lane is a set of methods with one limit of workers. Each method with `concurrency`,
// `reserved_workers` or a batch has a lane of its own; all other methods share one. A client has
// one flow in each lane.
// A group of clients also has one flow in each lane. That flow holds no jobs: it holds the order of
// the members' flows.
//
// Pure; the master only. Memory: an entry is part of its job; flows belong to their client.
#pragma once

#include <cstddef>
#include <cstdint>

#include "master/scheduler/share.h"
#include "master/scheduler/sum_tree.h"
#include "master/scheduler/ticket.h"

namespace ringmaster::master {

struct ClientShare;
struct Flow;
class LaneOrder;
struct WorkerUnit;

// Times are int64_t: their differences are taken.
struct Entry {
  enum class State : uint8_t { kNone, kFetching, kQueued, kPublished };

  Ticket ticket;  // the caller's; the scheduler does not use it
  State state = State::kNone;
  bool is_abandoned = false;
  uint64_t batch = 1;  // how many jobs of this step a worker takes together
  uint8_t quote_state = 0;
  uint32_t method = 0;
  uint32_t step = 0;
  ClientShare* client = nullptr;
  Flow* flow = nullptr;
  int64_t arrived_ns = 0;
  int64_t deadline_ns = 0;
  int64_t work_ns = 0;         // while it waits: its part of the sums of work
  int64_t charged_ns = 0;      // kPublished: the time that its client was charged
  float quote_base_ns = 0;     // the prediction; 0: there was none
  uint64_t memory_bytes = 0;   // that the entry's job holds
  WorkerUnit* unit = nullptr;  // null unless kPublished
  SumNode<Entry> place;        // in a tree of its flow: by deadline, with work_ns
};

struct Flow {
  enum class Place : uint8_t { kNone, kEligible, kPending, kFetching };

  Flow(Share& its_share, LaneOrder& its_order) : share(its_share), order(its_order) {}

  Share& share;
  LaneOrder& order;            // the order that the flow stands in
  LaneOrder* inner = nullptr;  // of a group: the order of its members
  SumTree<Entry, &Entry::place> queued;
  SumTree<Entry, &Entry::place> fetching;
  int64_t work_ns = 0;  // of the jobs in both trees
  Place place = Place::kNone;
  int64_t start = 0;  // the share's start tag when the flow was last placed
  SumNode<Flow> by_deadline;
  SumNode<Flow> by_start;
  SumNode<Flow> by_urgency;
};

}  // namespace ringmaster::master
