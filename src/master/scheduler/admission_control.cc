#include "master/scheduler/admission_control.h"

#include <algorithm>
#include <cmath>

namespace ringmaster::master {

AdmissionControl::AdmissionControl(const Lanes& lanes, const LaneOrders& orders,
                                   const WorkerLoad& load, const CostModel& costs)
    : lanes_(lanes), orders_(orders), load_(load), costs_(costs), predictor_(lanes, orders, load) {}

AdmissionControl::Request AdmissionControl::request(const ClientShare& client, const Lane& lane,
                                                    uint32_t method, uint64_t now_ns,
                                                    uint64_t deadline_ns,
                                                    double connection_wait_ns) const {
  CostModel::Need need = costs_.need(method, 0, &client.times);
  need.fetch_ns += connection_wait_ns;
  const double allowed_ns = static_cast<double>(static_cast<int64_t>(deadline_ns - now_ns));
  const double margin_ns = kOwnMargin * need.deviation_ns;
  Request request{client,
                  lane,
                  static_cast<int64_t>(now_ns),
                  static_cast<int64_t>(deadline_ns),
                  allowed_ns,
                  (allowed_ns - need.run_ns - margin_ns) / kWaitMargin,
                  margin_ns,
                  0,
                  need};
  request.limit_ns = limit_ns(request, false);
  return request;
}

double AdmissionControl::limit_ns(const Request& request, bool is_at_limit) const {
  const Lane& lane = request.lane;
  double workers = all_workers();
  double grain_ns = costs_.grain_ns();
  if (is_at_limit) {
    workers = std::min(workers, static_cast<double>(lane.concurrency));
    grain_ns = std::max(grain_ns, request.need.run_ns);
  }
  double queue_ns = std::max(kQueueNsMin, kQueueGrains * grain_ns / std::sqrt(workers));
  if (lane.batch > 1) {
    const double batch_ns = static_cast<double>(lane.batch) * request.need.run_ns;
    queue_ns = std::max(queue_ns, kQueueBatches * batch_ns);
  }
  return std::min(queue_ns, kQueuePart * request.allowed_ns);
}

// A job that waits because its lane is at its limit leaves a worker free for others. A lane with
// reserved workers counts as at least that many jobs.
bool AdmissionControl::is_worker_free(const Lane& lane, uint32_t method) const {
  if (lane.is_at_limit()) return false;
  const bool begins_with_fetch = costs_.begins_with_fetch(method);
  const size_t workers = load_.workers();
  size_t others = 0;
  size_t own = 0;
  for (const Lane& other : lanes_) {
    const LaneOrder& order = orders_.root(other.index);
    size_t jobs = other.out;
    if (!other.is_at_limit()) jobs += order.queued_jobs();
    if (begins_with_fetch) jobs += order.fetching_jobs();
    if (&other == &lane) {
      own = jobs;
    } else {
      others += std::max(jobs, other.reserved_workers);
    }
  }
  if (own < lane.reserved_workers && lanes_.are_all_reserved(workers)) return true;
  return others + own < workers;
}

double AdmissionControl::all_workers() const {
  return static_cast<double>(load_.workers());
}

bool AdmissionControl::is_overloaded(const Share& share, const Request& request,
                                     const Prediction& prediction) {
  if (!prediction.is_at_limit) return share.overload.is_on();
  const auto own = share.overload_at_limit.find(request.lane.index);
  return own != share.overload_at_limit.end() && own->second.is_on();
}

bool AdmissionControl::is_in_overload(const Request& request, const Prediction& prediction) {
  for (const Share* share = &request.client; share != nullptr; share = share->parent)
    if (is_overloaded(*share, request, prediction)) return true;
  return false;
}

double AdmissionControl::queue_ns(const Request& request, const Prediction& prediction) {
  return std::max(0.0, prediction.queue_ns - request.need.fetch_ns);
}

// Waiting jobs need the margin. The wait for the first worker to be free does not: it is short.
double AdmissionControl::with_margin(double wait_ns, const Request& request,
                                     const Prediction& prediction) const {
  const double running_ns = std::min(wait_ns, load_.first_free_ns(prediction.view, request.now_ns));
  return running_ns + kWaitMargin * (wait_ns - running_ns);
}

double AdmissionControl::late_ns(const Request& request, const Prediction& prediction) const {
  const double own_ns = request.need.run_ns + request.margin_ns;
  const double wait_ns =
      std::max(request.need.fetch_ns, with_margin(prediction.wait_ns, request, prediction));
  if (wait_ns + own_ns > request.allowed_ns)
    return std::max(1.0, prediction.wait_ns - request.spare_ns);
  const double workers =
      all_workers() * (prediction.beyond != nullptr ? claim_of(request.client) : 1);
  return static_cast<double>(predictor_.delays_own_ns(
      request.client, request.now_ns, request.deadline_ns,
      std::max(prediction.wait_ns, request.need.fetch_ns), request.need.run_ns, workers));
}

bool AdmissionControl::is_within_share_in_time(const Request& request,
                                               const Prediction& prediction) const {
  const double workers = static_cast<double>(prediction.view.workers);
  const double within_ns =
      load_.first_free_ns(prediction.view, request.now_ns) + prediction.within_share_ns / workers;
  const double wait_ns =
      std::max(request.need.fetch_ns, with_margin(within_ns, request, prediction));
  return wait_ns + request.need.run_ns + request.margin_ns <= request.allowed_ns;
}

// If true, the request is in time in any order of the jobs, and makes no other job late.
bool AdmissionControl::is_in_time_last(const Request& request, Prediction& found) const {
  const std::optional<Prediction> most = predictor_.predict_most(request.client, request.now_ns);
  if (!most || queue_ns(request, *most) > request.limit_ns) return false;
  const double run_ns = request.need.run_ns;
  const double wait_ns = std::max(
      {request.need.fetch_ns, kWaitMargin * most->wait_ns, most->wait_ns + run_ns / all_workers()});
  found = *most;
  return wait_ns + run_ns + request.margin_ns <= request.allowed_ns;
}

AdmissionRefusal AdmissionControl::refusal(const Request& request, const Prediction& prediction,
                                           double late) const {
  const double queue = queue_ns(request, prediction);
  double wait_ns = late;
  if (queue > request.limit_ns && is_in_overload(request, prediction)) {
    // The time until the workers have begun the work beyond the limit.
    const double beyond_ns =
        (queue - request.limit_ns) * static_cast<double>(prediction.view.workers);
    wait_ns = std::max(wait_ns, load_.wait_ns(beyond_ns, prediction.view, request.now_ns));
  }
  AdmissionRefusal refusal;
  refusal.reason = reason(request, prediction, late > 0);
  refusal.predicted_ns = static_cast<uint64_t>(
      std::max(request.need.fetch_ns, with_margin(prediction.wait_ns, request, prediction)) +
      request.need.run_ns + request.margin_ns);
  refusal.retry_after_ns = static_cast<uint64_t>(std::max(1.0, std::ceil(wait_ns)));
  refusal.queue_ns = static_cast<uint64_t>(queue);
  refusal.limit_ns = static_cast<uint64_t>(std::max(0.0, request.limit_ns));
  refusal.share = claim_of(request.client);
  refusal.used = request.client.used.at(request.now_ns);
  refusal.concurrency = request.lane.concurrency;
  return refusal;
}

AdmissionControl::Forecast AdmissionControl::forecast(const ClientShare& client, const Lane& lane,
                                                      uint32_t method, uint64_t now_ns,
                                                      uint64_t deadline_ns,
                                                      double connection_wait_ns) const {
  Forecast forecast;
  const Request asked = request(client, lane, method, now_ns, deadline_ns, connection_wait_ns);
  const CostModel::Need& need = asked.need;
  forecast.done_ns = need.fetch_ns + need.run_ns;
  if (is_worker_free(lane, method)) return forecast;
  const Prediction prediction = predictor_.predict(client, lane, asked.now_ns, asked.deadline_ns);
  forecast.state = prediction.beyond != nullptr ? Quotes::kBeyondShare : Quotes::kWithinShare;
  forecast.done_ns = std::max(need.fetch_ns, prediction.wait_ns) + need.run_ns;
  return forecast;
}

void AdmissionControl::on_asked(ClientShare& client, uint64_t now_ns) {
  for (Share* share = &client; share->parent != nullptr; share = share->parent)
    share->parent->on_asked(*share, now_ns, costs_.grain_ns(), all_workers());
}

AdmissionControl::Forecast AdmissionControl::on_request(ClientShare& client, const Lane& lane,
                                                        uint32_t method, uint64_t now_ns,
                                                        uint64_t deadline_ns,
                                                        double connection_wait_ns) {
  on_asked(client, now_ns);
  Request asked = request(client, lane, method, now_ns, deadline_ns, connection_wait_ns);
  const bool is_free = is_worker_free(lane, method);
  Prediction found;
  const bool is_certain = !is_free && is_in_time_last(asked, found);
  if (!is_free && !is_certain) {
    found = predictor_.predict(client, lane, asked.now_ns, asked.deadline_ns);
    if (found.is_at_limit) asked.limit_ns = limit_ns(asked, true);
  }
  learn_from_arrival(client, asked, found);
  Forecast forecast;
  forecast.done_ns = std::max(asked.need.fetch_ns, found.wait_ns) + asked.need.run_ns;
  if (is_free) return forecast;
  forecast.state = found.beyond != nullptr ? Quotes::kBeyondShare : Quotes::kWithinShare;
  if (is_certain) return forecast;
  if (const double late = late_ns(asked, found); late > 0) {
    forecast.refusal = refusal(asked, found, late);
    learn_from_refusal(client, asked, found);
    client.times.forget_old(now_ns);
  } else if (queue_ns(asked, found) > asked.limit_ns && is_in_overload(asked, found)) {
    forecast.refusal = refusal(asked, found, 0);
  }
  return forecast;
}

// A request that waits because of its method's limit says nothing of the other methods. One that
// finds a worker free shows that both queues have drained.
void AdmissionControl::learn_from_arrival(ClientShare& client, const Request& asked,
                                          const Prediction& found) {
  const uint64_t now_ns = static_cast<uint64_t>(asked.now_ns);
  const double queue = queue_ns(asked, found);
  double work_ns = asked.need.run_ns;
  for (Share* share = &client; share != nullptr; share = share->parent) {
    const double claim = claim_of(*share);
    if (!found.is_at_limit)
      share->overload.on_arrival(now_ns, claim * all_workers(), queue, work_ns, asked.spare_ns);
    const auto own = share->overload_at_limit.find(asked.lane.index);
    if (own != share->overload_at_limit.end() && (found.is_at_limit || queue == 0)) {
      const double workers = claim * static_cast<double>(asked.lane.concurrency);
      own->second.on_arrival(now_ns, workers, queue, work_ns, asked.spare_ns);
    }
    // Work beyond a share is no overload of the groups that contain the share.
    if (share == found.beyond) work_ns = 0;
  }
}

// Counts the refusal as overload of the share that is beyond its claim. If there is no such share,
// counts it for the largest group in which the client has rivals, or else for the client.
void AdmissionControl::learn_from_refusal(ClientShare& client, const Request& asked,
                                          const Prediction& found) {
  Share* share = &client;
  Share* overloaded = &client;
  while (share != found.beyond && share->parent != nullptr) {
    if (share->parent->has_rivals(*share)) overloaded = share->parent;
    share = share->parent;
  }
  if (found.beyond != nullptr) overloaded = share;
  OverloadControl& control =
      found.is_at_limit ? overloaded->overload_at_limit[asked.lane.index] : overloaded->overload;
  const double workers =
      found.is_at_limit ? static_cast<double>(asked.lane.concurrency) : all_workers();
  control.on_refused(static_cast<uint64_t>(asked.now_ns), claim_of(*overloaded) * workers,
                     asked.limit_ns, asked.need.run_ns, asked.spare_ns);
}

AdmissionRefusal::Reason AdmissionControl::reason(const Request& asked, const Prediction& found,
                                                  bool is_late) const {
  if (!is_late) {
    for (const Share* share = &asked.client; share->parent != nullptr; share = share->parent) {
      if (is_overloaded(*share, asked, found) && share->parent->has_rivals(*share))
        return AdmissionRefusal::Reason::kFairShare;
    }
    return AdmissionRefusal::Reason::kOverloaded;
  }
  return found.beyond != nullptr && is_within_share_in_time(asked, found)
             ? AdmissionRefusal::Reason::kFairShare
             : AdmissionRefusal::Reason::kTooLate;
}

}  // namespace ringmaster::master
