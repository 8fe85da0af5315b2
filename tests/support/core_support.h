// Shared by the tests of the core: the real dispatcher, run stage and ring of one deployment,
// without processes. The test simulates the workers, store by store, and fires timers.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loop_support.h"
#include "master/pipeline/dispatcher.h"
#include "ports_support.h"

namespace ringmaster::master {

// A Caller that keeps all answers.
struct Client : Caller {
  void answer_result(std::string_view result) override { results.emplace_back(result); }
  void answer_error(const rpc::Error& error) override { errors.push_back(error); }
  size_t answers() const { return results.size() + errors.size(); }

  std::vector<std::string> results;
  std::vector<rpc::Error> errors;
};

class Core {
 public:
  static constexpr uint32_t kWorkers = 3;

  explicit Core(RunStage::KillWorker kill = [](uint32_t, const char*) {})
      : store(std::move(ipc::PayloadStore::create(geometry()).value())),
        dispatcher(loop.get(), store, geometry(), upstreams(loop), std::move(kill), recorder) {
    stage().set_on_damage([this](const Error& error) { damages.push_back(error); });
    start_generation();
  }

  static ipc::Geometry geometry() {
    ipc::Geometry geometry;
    geometry.worker_slots = kWorkers;
    geometry.ring_entries = 4;
    geometry.job_slots = 16;
    geometry.payload_bytes = 32 << 10;
    geometry.result_bytes = 4096;
    return geometry;
  }

  // One upstream, which no test asks.
  static std::vector<std::unique_ptr<upstream::Upstream>> upstreams(test::Loop& loop) {
    std::vector<std::unique_ptr<upstream::Upstream>> made;
    made.push_back(upstream::Upstream::create(loop.get(), {}).value());
    return made;
  }

  // Sets more workers than there are, so that no request is refused as late: only the ring's
  // entries limit publications.
  void start_generation() {
    Result<ipc::MasterPort> created = ipc::MasterPort::create(geometry());
    REQUIRE(created);
    port.emplace(std::move(*created));
    words.emplace(port->control_memory_fd(), geometry());
    damages.clear();
    results.clear();
    for (uint32_t slot = 0; slot < kWorkers; ++slot)
      results.push_back(renew_results(slot));
    stage().set_port(&*port);
    stage().set_workers(64);
  }
  void lose_generation() {
    stage().on_port_lost("the test");
    words.reset();
    port.reset();
  }

  RunStage& stage() { return dispatcher.run_stage(); }
  // take_results() and audit() fail once the generation's memory was found damaged.
  Status take_results() {
    stage().take_results(RunStage::kAllBytes);
    return damage();
  }
  Status audit() {
    stage().audit();
    return damage();
  }
  Status damage() const {
    if (damages.empty()) return {};
    return tl::unexpected(damages.front());
  }
  // Does what the supervisor does after a worker was reaped.
  std::vector<LostJob> bury(uint32_t worker, bool was_ended_by_us = false) {
    CHECK(take_results());
    WorkerExit death;
    death.worker = worker;
    death.how = "signal 9";
    std::vector<LostJob> lost = stage().on_worker_lost(death, was_ended_by_us);
    results[worker] = renew_results(worker);  // for the worker's successor
    return lost;
  }
  ipc::Region renew_results(uint32_t worker) {
    result_memories[worker] = std::move(port->renew_results(worker).value());
    const size_t bytes = ipc::result_region_bytes(geometry().result_bytes);
    return ipc::Region::map(result_memories[worker].get(), ipc::Access::kReadWrite, 0, bytes)
        .value();
  }

  test::Loop loop;
  telemetry::Recorder recorder;
  ipc::PayloadStore store;
  std::optional<ipc::MasterPort> port;
  std::optional<ipc::Words> words;
  std::vector<ipc::Region> results;  // by worker slot, like result_memories
  Fd result_memories[kWorkers];
  std::vector<Error> damages;  // of this generation, as the run stage reported them
  Dispatcher dispatcher;
};

// A simulated worker: each call is one store of a real worker (see ipc/README.md).
class Played {
 public:
  Played(Core& core, uint32_t slot)
      : core_(core), slot_(slot), writer_({core.results[slot].data(), core.results[slot].size()}) {}

  bool try_claim() {
    claim_ = core_.words->ring.try_claim(slot_);
    return claim_.has_value();
  }
  void give_back() { core_.words->ring.give_back(*std::exchange(claim_, std::nullopt)); }
  void store_running() {
    running_[in_hand_.size()].store(ipc::make_word(ipc::EntryState::kClaimed, slot_, claim_->id),
                                    std::memory_order_release);
    in_hand_.push_back(claim_->id);
  }
  void release() { core_.words->ring.release(std::exchange(claim_, std::nullopt)->entry); }
  // try_claim(), store_running(), release(); the publication is `in_hand().back()`.
  void take() {
    REQUIRE(try_claim());
    store_running();
    release();
  }
  void commit(ipc::Publication id, std::string_view text, int32_t code = 0, uint64_t run_ns = 0) {
    char* room = writer_.try_reserve(text.size());
    REQUIRE(room != nullptr);
    std::memcpy(room, text.data(), text.size());
    writer_.commit(id, code, text.size(), run_ns);
  }
  void finish_one() {
    in_hand_.pop_back();
    running_[in_hand_.size()].store(ipc::kFreeWord, std::memory_order_release);
  }
  void finish() {
    while (!in_hand_.empty())
      finish_one();
  }

  bool has_claim() const { return claim_.has_value(); }
  const ipc::Ring::Claim& claim() const { return *claim_; }
  const std::vector<ipc::Publication>& in_hand() const { return in_hand_; }

 private:
  Core& core_;
  uint32_t slot_;
  ipc::ResultWriter writer_;
  std::atomic<uint64_t>* running_ = core_.words->workers[slot_].running;
  std::optional<ipc::Ring::Claim> claim_;
  std::vector<ipc::Publication> in_hand_;
};

}  // namespace ringmaster::master
