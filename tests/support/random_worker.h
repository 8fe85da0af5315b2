// RandomWorker: a simulated worker that does what a real one may do, store by store, in a random
// order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core_support.h"
#include "ipc/result_code.h"

namespace ringmaster::master {

class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}

  uint64_t below(uint64_t end) { return random_() % end; }
  bool one_in(uint64_t count) { return below(count) == 0; }

 private:
  std::mt19937_64 random_;
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
using Requests = std::vector<std::shared_ptr<Request>>;

// One worker slot: what its process would do next, if it has one.
class RandomWorker {
 public:
  RandomWorker(Core& core, uint32_t slot, Requests& requests, Dice& dice)
      : core_(core), requests_(requests), dice_(dice), played_(core, slot) {}

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

  Core& core_;
  Requests& requests_;
  Dice& dice_;
  Played played_;
  Stage stage_ = Stage::kFilling;
  std::vector<Item> items_;
  bool is_dead_ = false;
  bool is_condemned_ = false;
};

inline RandomWorker::Item RandomWorker::read(ipc::Publication id) const {
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

inline bool RandomWorker::is_alike(ipc::Publication id) const {
  const ipc::JobHeader& first = core_.store.header(items_[0].id.job);
  const ipc::JobHeader& next = core_.store.header(id.job);
  return first.handler == next.handler && first.batch > 1 && next.batch > 1;
}

inline void RandomWorker::move() {
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

inline void RandomWorker::fill() {
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
  const bool is_full = !items_.empty() && (items_.size() >= batch || dice_.one_in(4));
  if (is_full || !played_.try_claim()) return begin();
}

// Calls the handler with the jobs in hand, but not with those that the worker refuses.
inline void RandomWorker::begin() {
  if (items_.empty()) return;
  stage_ = Stage::kRunning;
  for (Item& item : items_) {
    if (dice_.one_in(20)) {
      const int32_t code = dice_.one_in(2) ? int32_t{ipc::kResultTooLate} : rpc::kInvalidParams;
      const uint64_t run_ns = code == rpc::kInvalidParams ? ipc::not_called(1000) : ipc::kNotRun;
      played_.commit(item.id, "refused", code, run_ns);
      item.is_answered = true;
    } else {
      ++requests_.at(item.request)->runs[item.step];
    }
  }
}

inline void RandomWorker::answer(Item& item) {
  if (dice_.one_in(20)) {
    played_.commit(item.id, "no luck", 7);
  } else {
    played_.commit(item.id, fmt::format("[{},{}]", item.request, item.step));
  }
  item.is_answered = true;
}

inline bool RandomWorker::may_be_ended(bool is_audit) const {
  if (is_dead_) return true;  // it is not reaped yet
  const bool holds_cut = std::any_of(items_.begin(), items_.end(), [this](const Item& item) {
    return !item.is_answered && requests_.at(item.request)->is_cut;
  });
  const bool claims_cut =
      played_.has_claim() && requests_.at(read(played_.claim().id).request)->is_cut;
  const bool has_answered =
      !items_.empty() &&
      std::all_of(items_.begin(), items_.end(), [](const Item& item) { return item.is_answered; });
  return holds_cut || claims_cut || (is_audit && has_answered);
}

}  // namespace ringmaster::master
