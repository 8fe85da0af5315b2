// Predictor: how long a request would wait for a worker, in its client's place in the order.
//
// Within its share, a client waits for jobs with earlier deadlines: its own, and those of other
// clients within their shares. Beyond its share, it waits until each other client has used its
// share, or until the queue has drained in the time that the others leave, whichever comes first.
// The others take as much time as they got lately, at most their shares.
//
// Pure; the master only.
// Limits: O(lanes * log jobs + workers); the lanes are those of the methods with limits or batches.
#pragma once

#include <cstdint>
#include <optional>

#include "master/scheduler/lane_orders.h"
#include "master/scheduler/share_table.h"
#include "master/scheduler/worker_load.h"

namespace ringmaster::master {

struct Prediction {
  double wait_ns = 0;
  double queue_ns = 0;  // the part of wait_ns that is due to waiting jobs
  // The client or its group, whichever is beyond its share while others ask for theirs; null:
  // neither is.
  const Share* beyond = nullptr;
  double within_share_ns = 0;  // the most work that goes first if the client is within its share
  WorkerLoad::View view{1};    // the workers and the work of this prediction
  bool is_at_limit = false;    // the lane's `concurrency` makes the request wait, not the workers
};

class Predictor {
 public:
  Predictor(const Lanes& lanes, const LaneOrders& orders, const WorkerLoad& load)
      : lanes_(lanes), orders_(orders), load_(load) {}

  Prediction predict(const ClientShare& client, const Lane& lane, int64_t now_ns,
                     int64_t deadline_ns) const;
  // The wait behind all admitted work: at least as long as predict() says, and found faster. Empty:
  // the order decides, since other clients ask for their shares; or lanes have limits.
  std::optional<Prediction> predict_most(const ClientShare& client, int64_t now_ns) const;
  // By how much one more job of `work_ns`, with this deadline, would make a later job of the same
  // client late; 0: none is late. `rate`: the workers that the client has.
  int64_t delays_own_ns(const ClientShare& client, int64_t now_ns, int64_t deadline_ns,
                        double wait_ns, double work_ns, double rate) const;

 private:
  struct Ahead {
    double work_ns = 0;
    double within_share_ns = 0;
    const Share* beyond = nullptr;
  };
  Ahead ahead(const ClientShare& client, const WorkerLoad::View& view, int64_t now_ns,
              int64_t deadline_ns) const;
  Prediction predict_in(const WorkerLoad::View& view, const ClientShare& client, int64_t now_ns,
                        int64_t deadline_ns) const;
  Prediction predict_beside_limits(const WorkerLoad::View& view, const ClientShare& client,
                                   const Lane& lane, int64_t now_ns, int64_t deadline_ns) const;

  const Lanes& lanes_;
  const LaneOrders& orders_;
  const WorkerLoad& load_;
};

}  // namespace ringmaster::master
