// Random orders of everything that workers and the master can do, store by store, with exact
// accounting. The ring, the result rings, the run stage and the dispatcher are the real ones; only
// the processes are simulated.
//
// RINGMASTER_SCHEDULES=N and RINGMASTER_SEED=N try others than the usual ones. A schedule that
// fails prints its seed; with this seed and RINGMASTER_SCHEDULES=1 it runs again.
#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <random>

#include "base/log.h"
#include "core_support.h"
#include "ipc/result_code.h"

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

// What a schedule knows of one request.
struct Request : Client {
  const Method* method = nullptr;
  std::optional<Ticket> ticket;
  uint64_t runs[3] = {};  // begun, by step
  bool is_cut = false;    // its deadline has passed, or the server stops
  std::optional<rpc::Executed> cancelled;

  uint64_t runs_in_all() const { return runs[0] + runs[1] + runs[2]; }
};

class Schedule;

// One worker slot: what its process would do next, if it has one.
class Worker {
 public:
  Worker(Schedule& schedule, Core& core, uint32_t slot)
      : schedule_(schedule), core_(core), played_(core, slot) {}

  void move();  // one store, or nothing where there is nothing to do
  void die() { is_dead_ = true; }
  // The master has killed the worker, which is not dead yet.
  void condemn() { is_condemned_ = true; }

  bool is_dead() const { return is_dead_; }
  bool is_condemned() const { return is_condemned_; }
  bool has_hand() const { return played_.has_claim() || !played_.in_hand().empty(); }
  // Whether the master may end the worker: it holds a job that was cut off, or (`is_audit`) it has
  // answered all that it holds.
  bool may_be_ended(bool is_audit) const;

 private:
  struct Item {
    ipc::Publication id;
    size_t request;
    size_t step;
    bool is_answered = false;
  };
  enum class Stage { kFilling, kNoted, kRunning };

  void fill();
  void begin();
  void answer(Item& item);
  Item read(ipc::Publication id) const;
  bool is_alike(ipc::Publication id) const;

  Schedule& schedule_;
  Core& core_;
  Played played_;
  Stage stage_ = Stage::kFilling;
  std::vector<Item> items_;
  bool is_dead_ = false;
  bool is_condemned_ = false;
};

class Schedule {
 public:
  Schedule(Core& core, uint64_t seed) : core_(core), random_(seed) {
    for (uint32_t slot = 0; slot < Core::kWorkers; ++slot)
      workers_[slot].emplace(*this, core_, slot);
  }

  void play();
  void on_kill(uint32_t worker);

  uint64_t below(uint64_t end) { return random_() % end; }
  bool one_in(uint64_t count) { return below(count) == 0; }
  Request& request(size_t number) { return *requests_.at(number); }

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

  Core& core_;
  std::mt19937_64 random_;
  std::vector<std::shared_ptr<Request>> requests_;
  std::optional<Worker> workers_[Core::kWorkers];
  bool is_audit_ = false;
};

// --- A worker -----------------------------------------------------------------------------------

Worker::Item Worker::read(ipc::Publication id) const {
  const ipc::JobHeader& header = core_.store.header(id.job);
  const auto text_of = [this](const ipc::View& view) {
    const std::byte* begin = reinterpret_cast<const std::byte*>(&core_.store.header(0));
    return std::string(reinterpret_cast<const char*>(begin) + view.offset, view.size);
  };
  const size_t request = std::stoul(text_of(header.views[0]));
  const size_t step = header.view_count - 1;
  // The outputs of the steps before have come whole.
  for (size_t before = 0; before < step; ++before)
    REQUIRE(text_of(header.views[1 + before]) == fmt::format("[{},{}]", request, before));
  return {id, request, step};
}

bool Worker::is_alike(ipc::Publication id) const {
  const ipc::JobHeader& first = core_.store.header(items_[0].id.job);
  const ipc::JobHeader& next = core_.store.header(id.job);
  return first.handler == next.handler && first.batch > 1 && next.batch > 1;
}

void Worker::move() {
  if (is_dead_) return;
  if (stage_ == Stage::kFilling) return fill();
  if (stage_ == Stage::kNoted) {
    played_.release();
    stage_ = Stage::kFilling;
    return;
  }
  for (Item& item : items_) {
    if (!item.is_answered) return answer(item);
  }
  played_.finish_one();
  if (!played_.in_hand().empty()) return;
  items_.clear();
  stage_ = Stage::kFilling;
}

void Worker::fill() {
  if (played_.has_claim()) {
    const ipc::Publication id = played_.claim().id;
    if (!items_.empty() && !is_alike(id)) {
      played_.give_back();
      return begin();
    }
    items_.push_back(read(id));
    played_.store_running();
    stage_ = Stage::kNoted;
    return;
  }
  const uint32_t batch = items_.empty() ? 1 : core_.store.header(items_[0].id.job).batch.load();
  const bool is_full = !items_.empty() && (items_.size() >= batch || schedule_.one_in(4));
  if (is_full || !played_.try_claim()) return begin();
}

// Calls the handler with the jobs in hand, but not with those that the worker refuses.
void Worker::begin() {
  if (items_.empty()) return;
  stage_ = Stage::kRunning;
  for (Item& item : items_) {
    if (schedule_.one_in(20)) {
      const int32_t code = schedule_.one_in(2) ? int32_t{ipc::kResultTooLate} : rpc::kInvalidParams;
      const uint64_t run_ns = code == rpc::kInvalidParams ? ipc::not_called(1000) : ipc::kNotRun;
      played_.commit(item.id, "refused", code, run_ns);
      item.is_answered = true;
    } else {
      ++schedule_.request(item.request).runs[item.step];
    }
  }
}

void Worker::answer(Item& item) {
  if (schedule_.one_in(20)) {
    played_.commit(item.id, "no luck", 7);
  } else {
    played_.commit(item.id, fmt::format("[{},{}]", item.request, item.step));
  }
  item.is_answered = true;
}

bool Worker::may_be_ended(bool is_audit) const {
  if (is_dead_) return true;  // it is not reaped yet
  const bool holds_cut = std::any_of(items_.begin(), items_.end(), [this](const Item& item) {
    return !item.is_answered && schedule_.request(item.request).is_cut;
  });
  const bool claims_cut =
      played_.has_claim() && schedule_.request(read(played_.claim().id).request).is_cut;
  const bool has_answered =
      !items_.empty() &&
      std::all_of(items_.begin(), items_.end(), [](const Item& item) { return item.is_answered; });
  return holds_cut || claims_cut || (is_audit && has_answered);
}

// --- The master ---------------------------------------------------------------------------------

void Schedule::play() {
  const uint64_t moves = 10 + below(kMovesMax - 10);
  for (uint64_t i = 0; i < moves; ++i)
    move();
  come_to_rest();
  check_accounts();
}

void Schedule::move() {
  Worker& worker = *workers_[below(Core::kWorkers)];
  const uint64_t kind = below(100);
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
  } else if (kind == 98 && one_in(4)) {
    shut_down();
  } else if (kind == 99 && one_in(4)) {
    lose_generation();
  }
}

void Schedule::admit() {
  if (requests_.size() == kClientsMax) return;
  const auto request = std::make_shared<Request>();
  request->method = &kMethods[below(std::size(kMethods))];
  const std::string params = std::to_string(requests_.size());
  requests_.push_back(request);
  request->ticket = core_.dispatcher.admit(*request->method, params, std::nullopt, request);
  REQUIRE(request->ticket);
}

void Schedule::cancel() {
  if (requests_.empty()) return;
  Request& request = *requests_[below(requests_.size())];
  if (request.answers() > 0 || request.cancelled) return;
  request.cancelled = core_.dispatcher.cancel(*request.ticket);
}

void Schedule::pass_deadline() {
  if (requests_.empty()) return;
  Request& request = *requests_[below(requests_.size())];
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
  const auto slot = static_cast<uint32_t>(below(Core::kWorkers));
  Worker& worker = *workers_[slot];
  if (!worker.is_dead() && !worker.is_condemned()) return;
  worker.die();
  core_.bury(slot, worker.is_condemned());
  workers_[slot].emplace(*this, core_, slot);
}

void Schedule::lose_generation() {
  core_.lose_generation();
  core_.start_generation();
  for (uint32_t slot = 0; slot < Core::kWorkers; ++slot)
    workers_[slot].emplace(*this, core_, slot);
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
