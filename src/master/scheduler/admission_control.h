// AdmissionControl: whether a request that arrives now is let in.
//
// A request is refused
// - as `too_late`, if it would be late even within its client's share, or make another job of the
//   same client late;
// - as `fair_share`, if it would be in time within the share, but its client has used its share up,
//   or the queue of its client's share is kept short while others ask for theirs;
// - as `overloaded`, if refusals have shown that the queue does not drain: then only as much is
//   admitted as keeps the workers busy. Jobs that wait because of a method's limit have a queue of
//   their own.
// A request that finds a free worker is never refused: else one wrong estimate could shut a method
// out, since only new measurements correct estimates.
//
// Pure; the master only. Limits: as Predictor.
#pragma once

#include <cstdint>
#include <optional>

#include "master/scheduler/cost_model.h"
#include "master/scheduler/predictor.h"
#include "master/scheduler/quotes.h"

namespace ringmaster::master {

struct AdmissionRefusal {
  enum class Reason : uint8_t { kTooLate, kFairShare, kOverloaded };

  Reason reason = Reason::kTooLate;
  uint64_t predicted_ns = 0;    // from now until the request would be done, at the latest
  uint64_t retry_after_ns = 0;  // until the request would be let in, if the client sent no others
  uint64_t queue_ns = 0;        // kOverloaded: the length of the queue
  uint64_t limit_ns = 0;        // kOverloaded: the limit of the queue
  double share = 1;             // the client's part of the workers' time
  double used = 0;              // the part of that time that the client got lately
  size_t concurrency = 0;       // the method's limit of workers; 0: none
  Quote quote;
};

class AdmissionControl {
 public:
  AdmissionControl(const Lanes& lanes, const LaneOrders& orders, const WorkerLoad& load,
                   const CostModel& costs);

  // The prediction for a request; its refusal and its quote are made from it.
  struct Forecast {
    Quotes::State state = Quotes::kFree;
    double done_ns = 0;  // without any margin
    std::optional<AdmissionRefusal> refusal;
  };
  // The client sends a request, and counts as active.
  void on_asked(ClientShare& client, uint64_t now_ns);
  // Does what on_asked() does, and predicts whether the request is let in. Learns from each request
  // whether there is overload. `connection_wait_ns`: how long its fetches wait for connections.
  Forecast on_request(ClientShare& client, const Lane& lane, uint32_t method, uint64_t now_ns,
                      uint64_t deadline_ns, double connection_wait_ns);
  // The prediction for a request that is only asked about.
  Forecast forecast(const ClientShare& client, const Lane& lane, uint32_t method, uint64_t now_ns,
                    uint64_t deadline_ns, double connection_wait_ns) const;

 private:
  // Waiting work counts this many times. So admitted jobs are in time even if the machine gets half
  // as fast.
  static constexpr double kWaitMargin = 2;
  static constexpr double kOwnMargin = 2;  // for the job's own steps, in mean deviations
  // In overload the queue is as long as kQueueGrains typical jobs, fewer where there are many
  // workers. It is at least kQueueNsMin long, and as long as kQueueBatches batches, since a short
  // queue would make small batches. It is at most kQueuePart of the time that the client allows.
  static constexpr double kQueueGrains = 6;
  static constexpr double kQueueNsMin = 5e6;
  static constexpr double kQueueBatches = 2;
  static constexpr double kQueuePart = 0.25;

  struct Request {
    const ClientShare& client;
    const Lane& lane;
    int64_t now_ns;
    int64_t deadline_ns;
    double allowed_ns;
    double spare_ns;   // the longest wait with which the request is in time
    double margin_ns;  // for the request's own steps
    double limit_ns;   // of the queue, in overload
    CostModel::Need need;
  };
  Request request(const ClientShare& client, const Lane& lane, uint32_t method, uint64_t now_ns,
                  uint64_t deadline_ns, double connection_wait_ns) const;
  bool is_worker_free(const Lane& lane, uint32_t method) const;
  double all_workers() const;
  // `is_at_limit`: the request waits for its lane's `concurrency`.
  double limit_ns(const Request& request, bool is_at_limit) const;
  // Whether the share has an overload of what the request waits for: of its lane, or of all.
  static bool is_overloaded(const Share& share, const Request& request,
                            const Prediction& prediction);
  static bool is_in_overload(const Request& request, const Prediction& prediction);
  // `late`: what late_ns() returned; 0: overload is the reason.
  AdmissionRefusal refusal(const Request& request, const Prediction& prediction, double late) const;
  AdmissionRefusal::Reason reason(const Request& request, const Prediction& prediction,
                                  bool is_late) const;
  void learn_from_arrival(ClientShare& client, const Request& request,
                          const Prediction& prediction);
  void learn_from_refusal(ClientShare& client, const Request& request,
                          const Prediction& prediction);
  double with_margin(double wait_ns, const Request& request, const Prediction& prediction) const;
  // How long it takes until the request would be in time. 0: it would be in time now.
  double late_ns(const Request& request, const Prediction& prediction) const;
  static double queue_ns(const Request& request, const Prediction& prediction);
  // Whether the request would be in time even behind all waiting work, and the queue is short.
  // `found`: the prediction.
  bool is_in_time_last(const Request& request, Prediction& found) const;
  bool is_within_share_in_time(const Request& request, const Prediction& prediction) const;

  const Lanes& lanes_;
  const LaneOrders& orders_;
  const WorkerLoad& load_;
  const CostModel& costs_;
  Predictor predictor_;
};

}  // namespace ringmaster::master
