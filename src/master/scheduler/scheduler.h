// Scheduler: which requests are let in, and which job goes to a worker next.
//
// The caller reports each event of each job. The scheduler knows no clock: time is an argument, and
// never goes back. The scheduler knows no processes, so that simulations run it in virtual time.
//
//   auto refusal = scheduler.try_admit(entry, client, method, now_ns, deadline_ns);
//   if (refusal) return refuse(*refusal);
//   scheduler.on_fetching(entry, 0);                  // each step: a fetch,
//   scheduler.on_queued(entry, 1, 1);                 // or a run
//   while (Entry* next = scheduler.next(now_ns)) scheduler.on_published(*next, now_ns);
//   scheduler.on_done(entry, now_ns, used_ns);        // the worker has answered
//   scheduler.on_ended(entry, now_ns, true);          // so has the master
//
// Processes: the master only; pure.
// Memory:    entries belong to their jobs, and may be destroyed after on_ended().
// Limits:    O(lanes * log jobs) an operation.
// share.h and lane_order.h define the order of jobs; admission_control.h decides which requests are
// admitted.
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "master/scheduler/admission_control.h"
#include "master/scheduler/cost_model.h"
#include "master/scheduler/lane_orders.h"
#include "master/scheduler/quotes.h"
#include "master/scheduler/share_table.h"
#include "master/scheduler/trials.h"
#include "master/scheduler/worker_load.h"

namespace ringmaster::master {

struct MethodPlan {
  std::vector<CostModel::StepKind> steps;
  size_t concurrency = 0;  // 0: as many as there are workers
  size_t reserved_workers = 0;
  uint64_t batch = 1;
};

class Scheduler {
 public:
  Scheduler();

  // Returns the method's number.
  uint32_t add_method(const MethodPlan& plan);
  void set_workers(size_t count, uint64_t now_ns);
  ShareTable& shares() { return shares_; }
  const ShareTable& shares() const { return shares_; }
  CostModel& costs() { return costs_; }
  const CostModel& costs() const { return costs_; }
  const WorkerLoad& load() const { return load_; }
  // Whether the queue of all clients, or of those known by their address alone, is kept short.
  bool is_overloaded(uint64_t now_ns) const {
    return root_.is_overloaded(now_ns) || shares_.addresses().is_overloaded(now_ns);
  }

  // Empty: the entry is admitted, and waits for its first step. Else the entry is unchanged.
  // `is_client_deadline`: the client allows less time than the method does (see trials.h).
  // `connection_wait_ns`: how long the entry's fetches would wait for connections.
  [[nodiscard]] std::optional<AdmissionRefusal> try_admit(Entry& entry, ClientShare& client,
                                                          uint32_t method, uint64_t now_ns,
                                                          uint64_t deadline_ns,
                                                          bool is_client_deadline = false,
                                                          double connection_wait_ns = 0);
  // The last eighth of the places (requests_in_flight), and of the memory, is for clients that hold
  // less than their part. Both functions return the client's part if the client gets nothing of
  // that eighth: it holds its part, and others ask for theirs. Empty: it is not refused.
  // refuse_place() decides about a place; call it before try_admit().
  std::optional<uint64_t> refuse_place(ClientShare& client, uint64_t left, uint64_t places,
                                       uint64_t now_ns);
  // refuse_memory() decides about memory for an admitted entry's job: `left_bytes` of `all_bytes`
  // would be left. The memory that this job holds already does not count: a client may have one job
  // of any size.
  std::optional<uint64_t> refuse_memory(const Entry& entry, uint64_t left_bytes,
                                        uint64_t all_bytes) const;
  // The quote for a request that arrives now.
  Quote quote(const ClientShare& client, uint32_t method, uint64_t now_ns, uint64_t deadline_ns,
              double connection_wait_ns = 0) const;

  // Call for an entry that neither waits nor is published.
  void on_fetching(Entry& entry, uint32_t step);
  // `batch`: how many jobs of the step a worker takes together.
  void on_queued(Entry& entry, uint32_t step, uint64_t batch);
  // The entry's job holds so much more memory; negative: less. At its end it holds none.
  void on_memory(Entry& entry, int64_t more_bytes);
  // The entry does not wait any more: its fetch is done, or its job is about to end.
  void on_left(Entry& entry);

  // The job to publish now; null: none. Returns the same one until the scheduler is told of an
  // event.
  Entry* next(uint64_t now_ns);
  // Whether next() returns a further job of the batch that is being published for a free worker.
  bool is_filling(uint64_t now_ns) const {
    return filling_.jobs_left > 0 && filling_.at_ns == static_cast<int64_t>(now_ns) &&
           queued_jobs(*filling_.unit->lane) > 0;
  }
  // For the entry that next() has returned: how many jobs a free worker is to take together with
  // it, itself included. 0: the worker may share them with others. Their time is not known yet, or
  // is so short that they are published ahead of the workers, and their method has no limit.
  size_t taken_together(const Entry& entry, uint64_t now_ns) const {
    const bool may_share = lane_of(entry.method).concurrency == 0;
    if (may_share && !costs_.is_known(entry.method, entry.step)) return 0;
    return unit_jobs(entry, now_ns);
  }
  // For the entry that next() has returned.
  void on_published(Entry& entry, uint64_t now_ns);
  // The job was withdrawn before a worker began it. Its client is not charged.
  void on_returned(Entry& entry, uint64_t now_ns);
  // The job's worker was lost, `used_ns` after the job was published. The client is charged for
  // that time.
  void on_lost(Entry& entry, uint64_t now_ns, uint64_t used_ns);
  // A worker has run the job for `ran_ns`, and is not done.
  void on_still_running(const Entry& entry, uint64_t now_ns, double ran_ns);
  // A worker ran the job for `used_ns`. The client is charged for that time, and the cost model
  // learns from it.
  void on_done(Entry& entry, uint64_t now_ns, uint64_t used_ns);
  // A worker spent `used_ns` on the job without calling its handler: the params do not fit. The
  // client is charged for that time. Jobs are expected to take no less time than before: otherwise
  // one client's wrong params would make the server admit more work than can be done.
  void on_not_called(Entry& entry, uint64_t now_ns, uint64_t used_ns);
  // The deadline of the job's client is over, and a worker still has the job.
  void on_abandoned(Entry& entry, uint64_t now_ns);
  // The job ends, in any state. `is_answered`: with a result, so that quotes learn from it.
  void on_ended(Entry& entry, uint64_t now_ns, bool is_answered);

  // The part of the workers' time that was idle lately: see Usage.
  double idle_part(uint64_t now_ns) const;

  // Admitted, waiting work; 0 when nothing is in flight.
  int64_t waiting_ns() const { return root_.waiting_ns; }
  size_t jobs() const { return root_.jobs; }
  // From now until the next job should be done. Empty: unknown.
  std::optional<uint64_t> next_done_ns() const;
  size_t queued_jobs() const;
  // Whether a queued job could be published if this published one ended.
  bool does_any_wait_for(const Entry& entry) const;
  size_t queued_jobs(const Lane& lane) const { return orders_.root(lane.index).queued_jobs(); }
  const Lanes& lanes() const { return lanes_; }

 private:
  struct Pick {
    Entry* entry = nullptr;
    size_t depth = 0;  // levels in use: the client's flow, then its group's
    Flow* flows[2] = {};
    LaneOrder::Rank ranks[2] = {};
    std::tuple<bool, int64_t, int64_t> key;  // the lane with the smallest key goes first
  };
  struct Filling {  // a unit of a batch that is being published
    WorkerUnit* unit = nullptr;
    size_t jobs = 0;
    size_t jobs_left = 0;
    int64_t at_ns = 0;
    uint32_t step = 0;
  };

  double expected_ns(const Entry& entry) const {
    return costs_.run_ns(entry.method, entry.step, &entry.client->times);
  }
  Lane& lane_of(uint32_t method) { return lanes_[method_lanes_[method]]; }
  const Lane& lane_of(uint32_t method) const { return lanes_[method_lanes_[method]]; }
  void wait(Entry& entry, uint32_t step, bool is_fetching, double work_ns);
  static void add_work(ClientShare& client, int64_t work_ns);
  int64_t room_of(const Entry& entry) const;
  uint64_t bytes_of(const Entry& entry) const;
  bool is_long_batch(const Entry& entry) const;
  bool is_whole_unit(const Entry& entry) const;
  Pick descend(const LaneOrder& order, int64_t now_ns) const;
  bool is_blocked(const Lane& lane, const Pick& pick) const;
  bool is_in_own_reservation(const Lane& lane, const Pick& pick) const;
  Pick choose_lane(int64_t now_ns) const;
  Pick choose(int64_t now_ns);
  double free_part(uint64_t now_ns) const;
  Quote quote_of(uint32_t method, const AdmissionControl::Forecast& forecast,
                 uint64_t now_ns) const;
  void charge(const Pick& pick, Entry& entry, int64_t now_ns);
  double takes_ns(uint32_t method, const ClientTimes* client) const;
  // The jobs of the unit that begins with this entry, or is being filled; 0: no whole unit.
  size_t unit_jobs(const Entry& entry, uint64_t now_ns) const;
  WorkerUnit& unit_for(const Entry& entry, int64_t now_ns);
  void correct(ClientShare& client, int64_t more_ns);
  void charge_for(Entry& entry, uint64_t now_ns, int64_t used_ns);
  void begin_tags_anew();

  ShareTable shares_;
  ShareGroup& root_;
  Lanes lanes_;
  std::vector<uint32_t> method_lanes_;
  LaneOrders orders_;
  WorkerLoad load_;
  CostModel costs_;
  AdmissionControl admission_;
  Quotes quotes_;
  Trials trials_;
  Usage busy_;
  Pick pick_;  // the last choice of next()
  Filling filling_;
};

}  // namespace ringmaster::master
