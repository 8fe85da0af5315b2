// Random orders of everything that workers and the master can do, store by store, with exact
// accounting. The ring, the result rings, the run stage and the dispatcher are the real ones; only
// the processes are simulated.
//
// RINGMASTER_SCHEDULES=N and RINGMASTER_SEED=N run other schedules. A schedule that fails prints
// its seed; with this seed and RINGMASTER_SCHEDULES=1 it runs again.
#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/log.h"
#include "random_worker.h"

namespace ringmaster::master {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kSchedules = 3'000;
#else
constexpr uint64_t kSchedules = 30'000;
#endif
constexpr size_t kClientsMax = 4;
constexpr size_t kMovesMax = 60;

// Timeout 0: a deadline is over as soon as a schedule lets its timer fire.
const Method kMethods[] = {
    {"one", {}, 0, 2, {RunStep{0}}},
    {"two", {}, 0, 2, {RunStep{1}, RunStep{2}}},
    {"two, once", {}, 0, 1, {RunStep{3}, RunStep{4}}},
    {"two batches", {}, 0, 2, {RunStep{5, 3}, RunStep{5, 3}}},
    {"two batches, once", {}, 0, 1, {RunStep{5, 3}, RunStep{5, 3}}},
    {"batch, then alone", {}, 0, 3, {RunStep{5, 3}, RunStep{6}, RunStep{5, 3}}},
};

class Schedule {
 public:
  Schedule(Core& core, uint64_t seed) : core_(core), dice_(seed) {
    for (uint32_t slot = 0; slot < Core::kWorkers; ++slot)
      renew_worker(slot);
  }

  void play();
  void on_kill(uint32_t worker);

 private:
  void move();
  void admit();
  void cancel();
  void pass_deadline();
  void shut_down();
  void bury_one();
  void lose_generation();
  void audit();
  void come_to_rest();
  void check_accounts();
  bool is_at_rest() const;
  void renew_worker(uint32_t slot) { workers_[slot].emplace(core_, slot, requests_, dice_); }

  Core& core_;
  Dice dice_;
  Requests requests_;
  std::optional<RandomWorker> workers_[Core::kWorkers];
  bool is_audit_ = false;
};

void Schedule::play() {
  const uint64_t moves = 10 + dice_.below(kMovesMax - 10);
  for (uint64_t i = 0; i < moves; ++i)
    move();
  come_to_rest();
  check_accounts();
}

void Schedule::move() {
  RandomWorker& worker = *workers_[dice_.below(Core::kWorkers)];
  const uint64_t kind = dice_.below(100);
  if (kind < 55) return worker.move();
  if (kind < 67) {
    REQUIRE(core_.take_results());
  } else if (kind < 77) {
    admit();
  } else if (kind < 82) {
    worker.die();
  } else if (kind < 86) {
    bury_one();
  } else if (kind < 91) {
    pass_deadline();
  } else if (kind < 94) {
    cancel();
  } else if (kind < 98) {
    audit();
  } else if (kind == 98 && dice_.one_in(4)) {
    shut_down();
  } else if (kind == 99 && dice_.one_in(4)) {
    lose_generation();
  }
}

void Schedule::admit() {
  if (requests_.size() == kClientsMax) return;
  const auto request = std::make_shared<Request>();
  request->method = &kMethods[dice_.below(std::size(kMethods))];
  const std::string params = std::to_string(requests_.size());
  requests_.push_back(request);
  request->ticket = core_.dispatcher.admit(*request->method, params, std::nullopt, request);
  REQUIRE(request->ticket);
}

void Schedule::cancel() {
  if (requests_.empty()) return;
  Request& request = *requests_[dice_.below(requests_.size())];
  if (request.answers() > 0 || request.cancelled) return;
  request.cancelled = core_.dispatcher.cancel(*request.ticket);
}

void Schedule::pass_deadline() {
  if (requests_.empty()) return;
  Request& request = *requests_[dice_.below(requests_.size())];
  request.is_cut = true;
  core_.dispatcher.expire(*request.ticket);
}

void Schedule::shut_down() {
  for (const auto& request : requests_)
    request->is_cut = true;
  core_.dispatcher.cut_off_all(rpc::make_error(rpc::kShuttingDown, "shutting_down", "the end"));
}

void Schedule::on_kill(uint32_t worker) {
  REQUIRE(worker < Core::kWorkers);
  CHECK(workers_[worker]->may_be_ended(is_audit_));
  workers_[worker]->condemn();
}

// The kernel ends a worker that the master has killed, or the fork server has reaped a dead one.
void Schedule::bury_one() {
  const auto slot = static_cast<uint32_t>(dice_.below(Core::kWorkers));
  RandomWorker& worker = *workers_[slot];
  if (!worker.is_dead() && !worker.is_condemned()) return;
  worker.die();
  core_.bury(slot, worker.is_condemned());
  renew_worker(slot);
}

void Schedule::lose_generation() {
  core_.lose_generation();
  core_.start_generation();
  for (uint32_t slot = 0; slot < Core::kWorkers; ++slot)
    renew_worker(slot);
}

void Schedule::audit() {
  is_audit_ = true;
  const Status sane = core_.audit();
  is_audit_ = false;
  CAPTURE((sane ? "" : sane.error().message));
  REQUIRE(sane);
}

bool Schedule::is_at_rest() const {
  return core_.dispatcher.in_flight() == 0 &&
         std::none_of(std::begin(workers_), std::end(workers_), [](const auto& worker) {
           return worker->has_hand() || worker->is_dead() || worker->is_condemned();
         });
}

// Nothing new happens any more: everything that was begun comes to its end.
void Schedule::come_to_rest() {
  constexpr size_t kRoundsMax = 1000;
  size_t rounds = 0;
  while (!is_at_rest()) {
    REQUIRE(++rounds < kRoundsMax);
    for (auto& worker : workers_)
      worker->move();
    REQUIRE(core_.take_results());
    bury_one();
  }
  audit();
}

void Schedule::check_accounts() {
  CHECK(core_.store.used_bytes() == 0);
  for (const auto& request : requests_) {
    CAPTURE(request->method->name);
    CHECK(request->answers() == (request->cancelled ? 0 : 1));
    const size_t steps = request->method->steps.size();
    for (size_t step = 0; step < std::size(request->runs); ++step)
      CHECK(request->runs[step] <= (step < steps ? request->method->attempts : 0));
    for (const std::string& result : request->results) {
      CHECK(result == fmt::format("[{},{}]", &request - requests_.data(), steps - 1));
      CHECK(*std::min_element(request->runs, request->runs + steps) > 0);
    }
    const bool says_no =
        (!request->errors.empty() && request->errors[0].executed == rpc::Executed::kNo) ||
        request->cancelled == rpc::Executed::kNo;
    if (says_no) CHECK(request->runs_in_all() == 0);
  }
}

}  // namespace

TEST_CASE(
    "interleavings: no order of events loses a job, runs it too often or ends a good worker") {
  const uint64_t schedules = test::from_environment("RINGMASTER_SCHEDULES", kSchedules);
  const uint64_t seed = test::from_environment("RINGMASTER_SEED", 1);
  LogOptions quiet;
  quiet.file = "/dev/null";
  REQUIRE(set_up_log(quiet));
  {
    std::optional<Schedule> schedule;
    Core core([&](uint32_t worker, const char*) { schedule->on_kill(worker); });
    for (uint64_t number = 0; number < schedules; ++number) {
      CAPTURE(seed + number);
      schedule.emplace(core, seed + number);
      schedule->play();
    }
  }
  REQUIRE(set_up_log({}));
  MESSAGE(schedules << " schedules, seeds from " << seed);
}

}  // namespace ringmaster::master
