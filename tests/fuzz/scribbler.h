// Scribbler: writes to the memory that workers share with the master, as a broken or hostile worker
// would: any word at any place. Most of these words look valid.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>
#include <span>
#include <vector>

#include "ipc/master_port.h"

namespace ringmaster::fuzz {

class Scribbler {
 public:
  Scribbler(FuzzedDataProvider& script, ipc::MasterPort& port, const ipc::Geometry& geometry)
      : script_(script),
        geometry_(geometry),
        result_region_(ipc::result_region_bytes(geometry.result_bytes)),
        control_(map(port.control_memory_fd(), geometry.control_bytes())) {
    for (uint32_t worker = 0; worker < geometry.worker_slots; ++worker) {
      const Fd memory = port.renew_results(worker).value();
      results_.push_back(map(memory.get(), result_region_));
    }
  }

  std::span<ipc::AtomicWord> entries() const { return words().last(geometry_.ring_entries); }
  ipc::WorkerWords& worker_words(uint32_t worker) const {
    auto* first = control_.data() + sizeof(ipc::ControlHead);
    return reinterpret_cast<ipc::WorkerWords*>(first)[worker];
  }

  ipc::Publication some_publication() {
    return {script_.ConsumeIntegralInRange(0u, geometry_.job_slots - 1),
            script_.ConsumeIntegralInRange(0u, 3u)};
  }
  uint32_t some_worker() { return script_.ConsumeIntegralInRange(0u, geometry_.worker_slots - 1); }

  void scribble() {
    switch (script_.ConsumeIntegralInRange(0, 5)) {
      case 0:
        entries()[script_.ConsumeIntegralInRange<size_t>(0, entries().size() - 1)] = some_word();
        break;
      case 1:
        worker_words(some_worker()).running[script_.ConsumeIntegralInRange<size_t>(0, 2)] =
            some_word();
        break;
      case 2:
        worker_words(some_worker()).bell.announce_sleep();
        break;
      case 3:  // the bells and the cursor are among these
        words()[script_.ConsumeIntegralInRange<size_t>(0, words().size() - 1)] = some_word();
        break;
      case 4: {
        const size_t at = script_.ConsumeIntegralInRange<size_t>(0, result_region_ / 4 - 1);
        reinterpret_cast<std::atomic<uint32_t>*>(results_[some_worker()].data())[at] =
            script_.ConsumeIntegral<uint32_t>();
        break;
      }
      default:
        publish_result(some_worker());
    }
  }

 private:
  static ipc::Region map(int fd, size_t bytes) {
    return ipc::Region::map(fd, ipc::Access::kReadWrite, 0, bytes).value();
  }

  std::span<ipc::AtomicWord> words() const {
    return {reinterpret_cast<ipc::AtomicWord*>(control_.data()),
            control_.size() / sizeof(ipc::AtomicWord)};
  }

  ipc::JobWord some_word() {
    if (script_.ConsumeBool()) return script_.ConsumeIntegral<uint64_t>();
    const auto state = static_cast<ipc::EntryState>(script_.ConsumeIntegralInRange(0, 3));
    const uint32_t worker = some_worker();
    return ipc::make_word(state, worker, some_publication());
  }

  void publish_result(uint32_t worker) {
    std::byte* region = results_[worker].data();
    auto& words = *reinterpret_cast<ipc::ResultRingWords*>(region);
    const uint64_t tail = words.tail;
    const size_t size = result_region_ - sizeof words;
    const uint32_t bytes = script_.ConsumeIntegralInRange(0u, 80u);
    const ipc::Publication id = some_publication();
    const int32_t code = script_.ConsumeBool() ? 0 : script_.ConsumeIntegral<int32_t>();
    const uint64_t run_ns = script_.ConsumeBool() ? 0 : script_.ConsumeIntegral<uint64_t>();
    const ipc::RecordHeader header{bytes, id.job, id.sequence, code, run_ns};
    std::memcpy(region + sizeof words + tail % size / 32 * 32, &header, sizeof header);
    words.tail = tail + 32 * script_.ConsumeIntegralInRange(0, 10);
  }

  FuzzedDataProvider& script_;
  const ipc::Geometry geometry_;
  const size_t result_region_;
  ipc::Region control_;
  std::vector<ipc::Region> results_;  // by worker
};

}  // namespace ringmaster::fuzz
