// The master's end of the control words: the input is what workers do to them, and what the master
// does meanwhile.
//
// Whatever is written there, also while a result is taken: a worker that is named exists, a job
// that is named fits the table, and after take_over() a slot is as new. Nothing waits for a word.
#include <fuzzer/FuzzedDataProvider.h>
#include <vector>

#include "fuzz.h"
#include "ipc/master_port.h"

namespace ringmaster::ipc {
namespace {

constexpr uint32_t kWorkers = 3;
constexpr size_t kResultBytes = 200;

Geometry make_geometry() {
  Geometry geometry;
  geometry.worker_slots = kWorkers;
  geometry.ring_entries = 4;
  geometry.job_slots = 16;
  geometry.result_bytes = kResultBytes;
  return geometry;
}

class Play {
 public:
  explicit Play(FuzzedDataProvider& script)
      : script_(script),
        port_(MasterPort::create(geometry_).value()),
        control_(
            Region::map(port_.control_memory_fd(), Access::kReadWrite, 0, geometry_.control_bytes())
                .value()) {
    for (uint32_t worker = 0; worker < kWorkers; ++worker) {
      const Fd memory = port_.renew_results(worker).value();
      results_.push_back(Region::map(memory.get(), Access::kReadWrite, 0, result_bytes_).value());
    }
  }

  void run() {
    while (script_.remaining_bytes() > 0) {
      if (script_.ConsumeBool()) {
        scribble();
      } else {
        command();
      }
    }
    for (uint32_t worker = 0; worker < kWorkers; ++worker)
      take_over(worker);
    uint32_t damaged = 0;
    RM_ASSERT(port_.drain([](uint32_t, const ResultReader::Record&) { return false; }, ~uint64_t{0},
                          damaged));
    RM_ASSERT(!port_.was_any_result());
  }

 private:
  Publication some_job() {
    return {script_.ConsumeIntegralInRange(0u, geometry_.job_slots - 1),
            script_.ConsumeIntegralInRange(0u, 3u)};
  }
  uint32_t some_worker() { return script_.ConsumeIntegralInRange(0u, kWorkers - 1); }
  std::span<AtomicWord> words() const {
    return {reinterpret_cast<AtomicWord*>(control_.data()), control_.size() / sizeof(AtomicWord)};
  }
  std::span<AtomicWord> entries() const { return words().last(geometry_.ring_entries); }
  WorkerWords& worker_words(uint32_t worker) const {
    return reinterpret_cast<WorkerWords*>(control_.data() + sizeof(ControlHead))[worker];
  }

  // A worker: any word at any place, mostly ones that look right.
  void scribble() {
    JobWord word = script_.ConsumeIntegral<uint64_t>();
    if (script_.ConsumeBool()) {
      word = make_word(static_cast<EntryState>(script_.ConsumeIntegralInRange(0, 3)), some_worker(),
                       some_job());
    }
    switch (script_.ConsumeIntegralInRange(0, 4)) {
      case 0:
        script_.PickValueInArray({&entries()[0], &entries()[1], &entries()[2], &entries()[3]})
            ->store(word);
        break;
      case 1:
        worker_words(some_worker()).running[script_.ConsumeIntegralInRange<size_t>(0, 2)] = word;
        break;
      case 2:
        worker_words(some_worker()).bell.announce_sleep();
        break;
      case 3:
        words()[script_.ConsumeIntegralInRange<size_t>(0, words().size() - 1)] = word;
        break;
      default:
        publish_result(some_worker());
    }
  }

  void publish_result(uint32_t worker) {
    std::byte* region = results_[worker].data();
    auto& words = *reinterpret_cast<ResultRingWords*>(region);
    const uint64_t tail = words.tail;
    const size_t size = result_bytes_ - sizeof words;
    const RecordHeader header{script_.ConsumeIntegralInRange(0u, 80u), some_job().job, 1, 0, 0};
    std::memcpy(region + sizeof words + tail % size / 32 * 32, &header, sizeof header);
    words.tail = tail + 32 * script_.ConsumeIntegralInRange(0, 10);
  }

  // The master: any call at any time.
  void command() {
    const Publication id = some_job();
    switch (script_.ConsumeIntegralInRange(0, 5)) {
      case 0:
        if (port_.try_publish(id)) RM_ASSERT(is_ready(id));
        break;
      case 1:
        RM_ASSERT(is_ready(id) == port_.try_withdraw(id));
        break;
      case 2:
        if (const auto worker = port_.was_held_by(id)) RM_ASSERT(is_held(*worker, id));
        break;
      case 3:
        take_over(some_worker());
        break;
      case 4:
        drain();
        break;
      default:
        port_.wake(script_.ConsumeIntegralInRange<size_t>(0, 3));
    }
  }

  bool is_ready(Publication id) const {
    const JobWord word = make_word(EntryState::kReady, 0, id);
    return std::ranges::any_of(entries(), [word](const AtomicWord& e) { return e == word; });
  }
  bool is_held(uint32_t worker, Publication id) const {
    if (worker >= kWorkers) return false;
    const auto names = [id](const AtomicWord& word) {
      return word != kFreeWord && publication_of(word) == id;
    };
    const auto& running = worker_words(worker).running;
    return std::any_of(std::begin(running), std::end(running), names) ||
           std::ranges::any_of(entries(), [&](JobWord word) {
             return state_of(word) == EntryState::kClaimed && worker_of(word) == worker &&
                    publication_of(word) == id;
           });
  }

  void drain() {
    size_t scribbles = script_.ConsumeIntegralInRange(0, 8);
    uint32_t damaged = kWorkers;
    const Status drained = port_.drain(
        [&](uint32_t worker, const ResultReader::Record& record) {
          RM_ASSERT(worker < kWorkers && record.bytes.size() < result_bytes_);
          for (const char c : std::string(record.bytes))
            touched_ += static_cast<unsigned char>(c);
          if (scribbles > 0 && scribbles-- > 0) scribble();
          return true;
        },
        ~uint64_t{0}, damaged);
    RM_ASSERT(drained.has_value() == (damaged == kWorkers) && damaged <= kWorkers);
  }

  void take_over(uint32_t worker) {
    const std::vector<Publication> jobs = port_.take_over(worker);
    RM_ASSERT(jobs.size() <= kBatchMax + 1);  // those in hand, and one that it was claiming
    for (const Publication id : jobs)
      RM_ASSERT(id.job < kJobSlotsMax);
    RM_ASSERT(port_.was_state(worker) == WorkerState::kAbsent);
    for (const AtomicWord& running : worker_words(worker).running)
      RM_ASSERT(running == kFreeWord);
    RM_ASSERT(std::ranges::none_of(entries(), [worker](JobWord word) {
      return state_of(word) == EntryState::kClaimed && worker_of(word) == worker;
    }));
  }

  FuzzedDataProvider& script_;
  const Geometry geometry_ = make_geometry();
  const size_t result_bytes_ = result_region_bytes(kResultBytes);
  MasterPort port_;
  Region control_;
  std::vector<Region> results_;  // by worker
  uint64_t touched_ = 0;
};

}  // namespace
}  // namespace ringmaster::ipc

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider script(data, size);
  ringmaster::ipc::Play(script).run();
  return 0;
}
