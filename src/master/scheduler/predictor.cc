#include "master/scheduler/predictor.h"

#include <algorithm>

namespace ringmaster::master {
namespace {

// Finds, by bisection, a later job of a client that one more job would make late.
struct LaterJobs {
  int64_t now_ns;
  int64_t deadline_ns;  // of the new job: only jobs with later deadlines are looked at
  double wait_ns;       // until the first of these jobs begins
  double delay_ns;      // how long the new job delays each of them
  double rate;
  int visits_left = 64;  // bounds the cost; a job that is not found only misses its deadline

  // A job is later if its deadline is after the new job's. All later jobs in `tree` have deadlines
  // of `earliest_ns` or after. `before_ns`: the work of the later jobs before the tree, less that
  // of the jobs in the tree that are not later.
  int64_t find(const Entry* tree, int64_t earliest_ns, double before_ns) {
    if (tree == nullptr || visits_left-- <= 0) return 0;
    const SumNode<Entry>& node = tree->place;
    const double all_ns = wait_ns + (before_ns + static_cast<double>(node.sum)) / rate + delay_ns;
    if (all_ns <= static_cast<double>(earliest_ns - now_ns)) return 0;  // each of them is in time
    const double left_ns = node.left == nullptr ? 0 : static_cast<double>(node.left->place.sum);
    if (node.key <= deadline_ns) {
      return find(node.right, earliest_ns, before_ns + left_ns + static_cast<double>(node.value));
    }
    if (const int64_t late_ns = find(node.left, earliest_ns, before_ns)) return late_ns;
    before_ns += left_ns + static_cast<double>(node.value);
    const double done_ns = wait_ns + before_ns / rate;
    const double allowed_ns = static_cast<double>(node.key - now_ns);
    if (done_ns <= allowed_ns && allowed_ns < done_ns + delay_ns)
      return std::max<int64_t>(1, rounded(done_ns + delay_ns - allowed_ns));
    return find(node.right, node.key, before_ns);
  }
};

}  // namespace

Predictor::Ahead Predictor::ahead(const ClientShare& client, const WorkerLoad::View& view,
                                  int64_t now_ns, int64_t deadline_ns) const {
  double own_ns = 0;
  for (const Lane& lane : lanes_) {
    const Flow* flow = orders_.find_flow(client, lane.index);
    if (flow == nullptr || !view.counts(lane)) continue;
    own_ns += static_cast<double>(flow->queued.sum_up_to(deadline_ns) +
                                  flow->fetching.sum_up_to(deadline_ns));
  }
  Ahead ahead;
  const Share* share = &client;
  for (const ShareGroup* group = client.parent; group != nullptr; group = group->parent) {
    const double lag =
        std::max(0.0, static_cast<double>(group->start(*share)) + own_ns / share->weight -
                          static_cast<double>(group->virtual_ns()));
    int64_t others_ns = 0;
    int64_t all_others_ns = 0;
    int64_t queued_ns = 0;
    for (const Lane& lane : lanes_) {
      if (!view.counts(lane)) continue;
      const LaneOrder& order = orders_.of(*group, lane.index);
      if (order.work_ns() == 0) continue;
      const Flow* own = share == &client ? orders_.find_flow(client, lane.index)
                                         : orders_.flow_of(*client.parent, lane.index);
      all_others_ns += order.within_shares(own);
      queued_ns += order.work_ns();
      if (lag == 0) others_ns += order.within_shares_up_to(deadline_ns, own);
    }
    ahead.within_share_ns += static_cast<double>(all_others_ns);
    if (lag == 0) {
      own_ns += static_cast<double>(others_ns);
    } else {
      if (ahead.beyond == nullptr && group->has_rivals(*share)) ahead.beyond = share;
      const double until_turn_ns = static_cast<double>(all_others_ns) +
                                   std::max(0.0, own_ns - lag * share->weight) +
                                   lag * group->active_weight();
      const double others_part = std::clamp(group->given().at(now_ns) - share->used.at(now_ns), 0.0,
                                            1 - group->claim(*share));
      const double drained_ns = static_cast<double>(queued_ns) / std::max(0.05, 1 - others_part);
      own_ns = std::min(until_turn_ns, std::max(drained_ns, own_ns));
    }
    share = group;
  }
  ahead.work_ns = own_ns;
  return ahead;
}

Prediction Predictor::predict_in(const WorkerLoad::View& view, const ClientShare& client,
                                 int64_t now_ns, int64_t deadline_ns) const {
  const Ahead found = ahead(client, view, now_ns, deadline_ns);
  const double work_ns = found.work_ns + load_.not_begun_ns(view);
  Prediction prediction;
  prediction.wait_ns = load_.wait_ns(work_ns, view, now_ns);
  prediction.queue_ns = work_ns / static_cast<double>(view.workers);
  prediction.beyond = found.beyond;
  prediction.within_share_ns = found.within_share_ns;
  prediction.view = view;
  return prediction;
}

// The soonest of several predictions: one in this view, and one for each other lane with a limit. A
// lane's prediction leaves out the lane's queue, and as many workers as the lane's limit.
Prediction Predictor::predict_beside_limits(const WorkerLoad::View& view, const ClientShare& client,
                                            const Lane& lane, int64_t now_ns,
                                            int64_t deadline_ns) const {
  Prediction best = predict_in(view, client, now_ns, deadline_ns);
  for (const Lane& other : lanes_) {
    if (&other == &lane || other.concurrency == 0 || other.concurrency >= view.workers) continue;
    if (!view.counts(other)) continue;
    WorkerLoad::View without = view;
    without.workers -= other.concurrency;
    without.skipped = &other;
    const Prediction sooner = predict_in(without, client, now_ns, deadline_ns);
    if (sooner.wait_ns < best.wait_ns) best = sooner;
  }
  return best;
}

Prediction Predictor::predict(const ClientShare& client, const Lane& lane, int64_t now_ns,
                              int64_t deadline_ns) const {
  const auto sooner = [](const Prediction& a, const Prediction& b) {
    return b.wait_ns < a.wait_ns ? b : a;
  };
  const auto later = [](const Prediction& a, const Prediction& b) {
    return b.wait_ns > a.wait_ns ? b : a;
  };
  const size_t workers = load_.workers();
  const WorkerLoad::View all{workers};
  Prediction found = predict_beside_limits(all, client, lane, now_ns, deadline_ns);
  if (const size_t reserved = lanes_.reserved_beside(lane, workers); reserved > 0) {
    WorkerLoad::View common{workers - reserved};
    common.beside_reserved = &lane;
    found = later(found, predict_beside_limits(common, client, lane, now_ns, deadline_ns));
  }
  if (lane.reserved_workers > 0 && lanes_.are_all_reserved(workers)) {
    const WorkerLoad::View own{lane.reserved_workers, &lane};
    found = sooner(found, predict_in(own, client, now_ns, deadline_ns));
  }
  if (lane.concurrency == 0 || lane.concurrency >= workers) return found;
  const WorkerLoad::View own{lane.concurrency, &lane};
  Prediction within_limit = predict_in(own, client, now_ns, deadline_ns);
  within_limit.is_at_limit = true;
  return later(found, within_limit);
}

std::optional<Prediction> Predictor::predict_most(const ClientShare& client, int64_t now_ns) const {
  if (lanes_.have_limits()) return std::nullopt;
  int64_t work_ns = 0;
  for (const Share* share = &client; share->parent != nullptr; share = share->parent) {
    if (share->parent->has_rivals(*share)) return std::nullopt;
    work_ns = share->parent->waiting_ns;
  }
  Prediction prediction;
  prediction.view = WorkerLoad::View{load_.workers()};
  const double all_ns = static_cast<double>(work_ns) + load_.not_begun_ns(prediction.view);
  prediction.wait_ns = load_.wait_ns(all_ns, prediction.view, now_ns);
  prediction.queue_ns = all_ns / static_cast<double>(load_.workers());
  return prediction;
}

int64_t Predictor::delays_own_ns(const ClientShare& client, int64_t now_ns, int64_t deadline_ns,
                                 double wait_ns, double work_ns, double rate) const {
  for (const auto& flow : client.flows) {
    if (flow == nullptr || flow->queued.empty()) continue;
    LaterJobs later{now_ns, deadline_ns, wait_ns, work_ns / rate + work_ns, rate};
    const int64_t earlier_ns = flow->queued.sum_up_to(deadline_ns);
    if (earlier_ns == flow->queued.total()) continue;  // no job is later
    const int64_t late_ns =
        later.find(flow->queued.root(), deadline_ns, -static_cast<double>(earlier_ns));
    if (late_ns > 0) return late_ns;
  }
  return 0;
}

}  // namespace ringmaster::master
