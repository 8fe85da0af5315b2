#include "master/scheduler/scheduler.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.h"

namespace ringmaster::master {
namespace {

// The last 1/8 of the job places, and of the payload memory, is for clients that hold less than
// their own part.
constexpr uint64_t kLeftToOthers = 8;
// The shortest prediction: quotes are multiples of predictions.
constexpr double kQuoteMinNs = 1000;

bool is_scarce(uint64_t left, uint64_t all) {
  return left <= all / kLeftToOthers;
}

// The client's own part of `all`, if the client holds at least that much and other clients ask for
// their parts. Otherwise nothing.
std::optional<uint64_t> held_part(const ClientShare& client, uint64_t held, uint64_t all) {
  const double part = claim_of(client) * static_cast<double>(all);
  const auto own = std::max<uint64_t>(1, static_cast<uint64_t>(part));
  return own < all && held >= own ? std::optional(own) : std::nullopt;
}

}  // namespace

Scheduler::Scheduler()
    : root_(shares_.root()), orders_(shares_), admission_(lanes_, orders_, load_, costs_) {}

uint32_t Scheduler::add_method(const MethodPlan& plan) {
  const bool has_lane = plan.concurrency > 0 || plan.reserved_workers > 0 || plan.batch > 1;
  uint32_t lane = 0;
  if (has_lane) {
    lane = lanes_.add(plan.concurrency, plan.reserved_workers, plan.batch).index;
    orders_.add_lane();
  }
  method_lanes_.push_back(lane);
  quotes_.add_method();
  trials_.add_method();
  return costs_.add_method(plan.steps);
}

void Scheduler::set_workers(size_t count, uint64_t now_ns) {
  load_.set_workers(count, static_cast<int64_t>(now_ns));
}

std::optional<uint64_t> Scheduler::refuse_place(ClientShare& client, uint64_t left, uint64_t places,
                                                uint64_t now_ns) {
  if (!is_scarce(left, places)) return std::nullopt;
  admission_.on_asked(client, now_ns);
  return held_part(client, client.jobs, places);
}

std::optional<uint64_t> Scheduler::refuse_memory(const Entry& entry, uint64_t left_bytes,
                                                 uint64_t all_bytes) const {
  if (!is_scarce(left_bytes, all_bytes)) return std::nullopt;
  return held_part(*entry.client, entry.client->memory_bytes - entry.memory_bytes, all_bytes);
}

void Scheduler::on_memory(Entry& entry, int64_t more_bytes) {
  entry.memory_bytes += static_cast<uint64_t>(more_bytes);
  entry.client->memory_bytes += static_cast<uint64_t>(more_bytes);
}

std::optional<AdmissionRefusal> Scheduler::try_admit(Entry& entry, ClientShare& client,
                                                     uint32_t method, uint64_t now_ns,
                                                     uint64_t deadline_ns, bool is_client_deadline,
                                                     double connection_wait_ns) {
  AdmissionControl::Forecast forecast = admission_.on_request(
      client, lane_of(method), method, now_ns, deadline_ns, connection_wait_ns);
  if (!forecast.refusal && is_client_deadline) {
    const double takes_ns = this->takes_ns(method, &client.times);
    const auto retry_ns = trials_.retry_after_ns(method, takes_ns, now_ns, deadline_ns);
    if (retry_ns) {
      forecast.refusal.emplace();
      forecast.refusal->predicted_ns = static_cast<uint64_t>(takes_ns);
      forecast.refusal->retry_after_ns = *retry_ns;
    }
  }
  if (forecast.refusal) {
    forecast.refusal->quote = quote_of(method, forecast, now_ns);
    return forecast.refusal;
  }
  entry.method = method;
  entry.client = &client;
  entry.flow = &orders_.flow(client, method_lanes_[method]);
  entry.arrived_ns = static_cast<int64_t>(now_ns);
  entry.deadline_ns = static_cast<int64_t>(deadline_ns);
  entry.quote_state = forecast.state;
  // Before the method's first run, or fetch, there is no prediction from which quotes could learn.
  const bool is_predicted = costs_.knows_runs(method) && takes_ns(method, nullptr) > 0;
  entry.quote_base_ns =
      is_predicted ? static_cast<float>(std::max(kQuoteMinNs, forecast.done_ns)) : 0;
  for (Share* share = &client; share != nullptr; share = share->parent)
    ++share->jobs;
  return std::nullopt;
}

Quote Scheduler::quote(const ClientShare& client, uint32_t method, uint64_t now_ns,
                       uint64_t deadline_ns, double connection_wait_ns) const {
  const Lane& lane = lane_of(method);
  return quote_of(
      method, admission_.forecast(client, lane, method, now_ns, deadline_ns, connection_wait_ns),
      now_ns);
}

Quote Scheduler::quote_of(uint32_t method, const AdmissionControl::Forecast& forecast,
                          uint64_t now_ns) const {
  Quote quote;
  quote.ns = quotes_.quote(method, forecast.state, std::max(kQuoteMinNs, forecast.done_ns));
  quote.free = free_part(now_ns);
  return quote;
}

// The scheduler books the time of a long job when the job begins, and the booking fades while the
// job runs. So the free part is at most the part of the workers that are idle now.
double Scheduler::free_part(uint64_t now_ns) const {
  const double idle =
      static_cast<double>(load_.idle_workers()) / static_cast<double>(load_.workers());
  return std::min(idle_part(now_ns), idle);
}

double Scheduler::idle_part(uint64_t now_ns) const {
  return std::max(1 - busy_.at(now_ns), 0.0);
}

void Scheduler::add_work(ClientShare& client, int64_t work_ns) {
  for (Share* share = &client; share != nullptr; share = share->parent)
    share->waiting_ns += work_ns;
}

void Scheduler::wait(Entry& entry, uint32_t step, bool is_fetching, double work_ns) {
  RM_ASSERT(entry.state == Entry::State::kNone && entry.client != nullptr);
  entry.step = step;
  entry.work_ns = rounded(work_ns);
  entry.state = is_fetching ? Entry::State::kFetching : Entry::State::kQueued;
  add_work(*entry.client, entry.work_ns);
  LaneOrder& order = entry.flow->order;
  order.add(*entry.flow, entry, is_fetching);
  order.place(*entry.flow);
  pick_ = {};
}

void Scheduler::on_fetching(Entry& entry, uint32_t step) {
  const CostModel::Need need = costs_.need(entry.method, step, &entry.client->times);
  wait(entry, step, true, need.success * need.run_ns);
}

void Scheduler::on_queued(Entry& entry, uint32_t step, uint64_t batch) {
  entry.batch = batch;
  wait(entry, step, false, costs_.need(entry.method, step, &entry.client->times).run_ns);
}

void Scheduler::on_left(Entry& entry) {
  RM_ASSERT(entry.state == Entry::State::kFetching || entry.state == Entry::State::kQueued);
  LaneOrder& order = entry.flow->order;
  order.remove(*entry.flow, entry);
  add_work(*entry.client, -entry.work_ns);
  order.place(*entry.flow);
  entry.state = Entry::State::kNone;
  pick_ = {};
}

size_t Scheduler::queued_jobs() const {
  size_t jobs = 0;
  for (const Lane& lane : lanes_)
    jobs += queued_jobs(lane);
  return jobs;
}

bool Scheduler::does_any_wait_for(const Entry& entry) const {
  RM_ASSERT(entry.unit != nullptr);
  return std::any_of(lanes_.begin(), lanes_.end(), [&](const Lane& lane) {
    return queued_jobs(lane) > 0 && (!lane.is_at_limit() || &lane == entry.unit->lane);
  });
}

// Updates each level's virtual time and tags, from the leaf up, and then the places of the flows.
void Scheduler::charge(const Pick& pick, Entry& entry, int64_t now_ns) {
  const double workers = static_cast<double>(load_.workers());
  for (size_t level = 0; level < pick.depth; ++level) {
    Share& share = pick.flows[level]->share;
    const LaneOrder::Rank rank = pick.ranks[level];
    const bool moves_time =
        rank == LaneOrder::Rank::kPending ||
        (rank == LaneOrder::Rank::kUrgent && !orders_.has_eligible(*share.parent));
    share.parent->on_given(share, entry.charged_ns, moves_time, now_ns, workers);
  }
  orders_.place(*entry.client);
  for (size_t level = 0; level < pick.depth; ++level)
    orders_.promote(*pick.flows[level]->share.parent);
}

size_t Scheduler::unit_jobs(const Entry& entry, uint64_t now_ns) const {
  const Lane& lane = lane_of(entry.method);
  if (is_filling(now_ns) && filling_.unit->lane == &lane) return filling_.jobs;
  if (!is_whole_unit(entry)) return 0;
  const size_t idle = std::max<size_t>(lane.usable(load_.idle_workers()), 1);
  return std::min<size_t>(entry.batch, (queued_jobs(lane) + idle - 1) / idle);
}

WorkerUnit& Scheduler::unit_for(const Entry& entry, int64_t now_ns) {
  Lane& lane = lane_of(entry.method);
  const auto at_ns = static_cast<uint64_t>(now_ns);
  if (is_filling(at_ns) && filling_.unit->lane == &lane) {
    --filling_.jobs_left;
    return *filling_.unit;
  }
  const size_t jobs = unit_jobs(entry, at_ns);
  filling_ = {};
  WorkerUnit& unit = load_.open(lane, now_ns);
  if (jobs > 0) filling_ = {&unit, jobs, jobs - 1, now_ns, entry.step};
  return unit;
}

void Scheduler::on_published(Entry& entry, uint64_t now_ns) {
  RM_ASSERT(pick_.entry == &entry && entry.state == Entry::State::kQueued);
  const Pick pick = std::exchange(pick_, {});
  const int64_t now = static_cast<int64_t>(now_ns);
  WorkerUnit& unit = unit_for(entry, now);
  entry.charged_ns = rounded(expected_ns(entry));
  entry.flow->order.remove(*entry.flow, entry);
  add_work(*entry.client, -entry.work_ns);
  entry.state = Entry::State::kPublished;
  charge(pick, entry, now);  // and places its flow anew
  busy_.add(now_ns, static_cast<double>(entry.charged_ns), static_cast<double>(load_.workers()));
  // An abandoned job's worker can be replaced kAbandonedNs after the job's deadline. So this job is
  // expected to keep its worker no longer than that, however long such jobs take.
  const int64_t most_ns =
      std::max<int64_t>(0, entry.deadline_ns - now) + static_cast<int64_t>(Trials::kAbandonedNs);
  load_.add(unit, std::min(entry.charged_ns, most_ns), costs_.is_known(entry.method, entry.step),
            bytes_of(entry));
  entry.unit = &unit;
}

void Scheduler::correct(ClientShare& client, int64_t more_ns) {
  if (more_ns != 0) {
    for (Share* share = &client; share->parent != nullptr; share = share->parent)
      share->parent->on_corrected(*share, more_ns);
    orders_.place(client);
  }
  if (root_.has_large_tags() || shares_.addresses().has_large_tags()) begin_tags_anew();
}

void Scheduler::begin_tags_anew() {
  root_.begin_anew();
  shares_.addresses().begin_anew();
  shares_.addresses().finish = Share::kLongAgo;
  shares_.for_each([](ClientShare& client) { client.finish = Share::kLongAgo; });
  shares_.for_each([this](ClientShare& client) { orders_.place(client); });
  pick_ = {};
}

void Scheduler::on_returned(Entry& entry, uint64_t now_ns) {
  RM_ASSERT(entry.state == Entry::State::kPublished);
  if (filling_.unit == entry.unit) filling_ = {};
  load_.remove(*entry.unit, static_cast<int64_t>(now_ns));
  entry.unit = nullptr;
  entry.state = Entry::State::kNone;
  correct(*entry.client, -entry.charged_ns);
  pick_ = {};
}

void Scheduler::charge_for(Entry& entry, uint64_t now_ns, int64_t used_ns) {
  const int64_t charged_ns = std::exchange(entry.charged_ns, 0);
  on_returned(entry, now_ns);
  correct(*entry.client, used_ns - charged_ns);
}

void Scheduler::on_lost(Entry& entry, uint64_t now_ns, uint64_t used_ns) {
  charge_for(entry, now_ns, std::max(static_cast<int64_t>(used_ns), entry.charged_ns));
}

void Scheduler::on_done(Entry& entry, uint64_t now_ns, uint64_t used_ns) {
  const auto took_ns = static_cast<double>(used_ns);
  costs_.on_run(entry.method, entry.step, took_ns);
  entry.client->times.add(entry.method, entry.step, took_ns, now_ns);
  charge_for(entry, now_ns, static_cast<int64_t>(used_ns));
}

void Scheduler::on_not_called(Entry& entry, uint64_t now_ns, uint64_t used_ns) {
  // A short time says nothing about a method that has not run yet.
  const bool is_known = costs_.is_known(entry.method, entry.step);
  if (is_known || used_ns > static_cast<uint64_t>(WorkerLoad::kAheadNs))
    on_still_running(entry, now_ns, static_cast<double>(used_ns));
  charge_for(entry, now_ns, static_cast<int64_t>(used_ns));
}

void Scheduler::on_still_running(const Entry& entry, uint64_t now_ns, double ran_ns) {
  if (ran_ns <= expected_ns(entry)) return;
  costs_.on_run(entry.method, entry.step, ran_ns);
  entry.client->times.add(entry.method, entry.step, ran_ns, now_ns);
}

double Scheduler::takes_ns(uint32_t method, const ClientTimes* client) const {
  const CostModel::Need need = costs_.need(method, 0, client);
  return need.fetch_ns + need.run_ns;
}

void Scheduler::on_abandoned(Entry& entry, uint64_t now_ns) {
  RM_ASSERT(entry.state == Entry::State::kPublished && !entry.is_abandoned);
  entry.is_abandoned = true;
  load_.expect(*entry.unit, static_cast<int64_t>(Trials::kAbandonedNs),
               static_cast<int64_t>(now_ns));
  trials_.on_abandoned(entry.method, takes_ns(entry.method, &entry.client->times), now_ns);
}

std::optional<uint64_t> Scheduler::next_done_ns() const {
  const int64_t work_ns = waiting_ns() + load_.work_ns();
  if (work_ns <= 0 || jobs() == 0) return std::nullopt;
  return static_cast<uint64_t>(work_ns) / load_.workers() / jobs();
}

void Scheduler::on_ended(Entry& entry, uint64_t now_ns, bool is_answered) {
  if (entry.client == nullptr) return;  // the entry was never admitted
  if (std::exchange(entry.is_abandoned, false)) trials_.on_released();
  if (entry.state == Entry::State::kPublished) {
    on_returned(entry, now_ns);
  } else if (entry.state != Entry::State::kNone) {
    on_left(entry);
  }
  if (is_answered && entry.quote_base_ns > 0) {
    quotes_.learn(entry.method, static_cast<Quotes::State>(entry.quote_state),
                  static_cast<double>(entry.quote_base_ns),
                  static_cast<double>(static_cast<int64_t>(now_ns) - entry.arrived_ns));
  }
  on_memory(entry, -static_cast<int64_t>(entry.memory_bytes));
  ClientShare& client = *std::exchange(entry.client, nullptr);
  for (Share* share = &client; share != nullptr; share = share->parent)
    --share->jobs;
  if (client.jobs == 0) shares_.on_idle(client);
  if (root_.jobs > 0) return;
  root_.settle();
  shares_.addresses().settle();
}

}  // namespace ringmaster::master
