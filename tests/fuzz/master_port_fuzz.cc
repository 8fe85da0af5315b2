// The master's end of the control words: the input is a script of the workers' writes to these
// words and of the master's calls.
//
// Whatever workers write there, even while the master takes a result: the port names only workers
// that exist and jobs that fit the table, and take_over() leaves a slot as new. The master waits
// for no word.
#include <algorithm>
#include <vector>

#include "fuzz.h"
#include "scribbler.h"

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
        worker_(script, port_, geometry_) {}

  void run() {
    while (script_.remaining_bytes() > 0) {
      if (script_.ConsumeBool()) {
        worker_.scribble();
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
  // The master: any call at any time.
  void command() {
    const Publication id = worker_.some_publication();
    switch (script_.ConsumeIntegralInRange(0, 7)) {
      case 0:
        if (port_.try_publish(id)) RM_ASSERT(is_ready(id));
        break;
      case 1:
        RM_ASSERT(is_ready(id) == port_.try_withdraw(id));
        break;
      case 2:
        port_.see_held(
            [this](uint32_t worker, Publication held) { RM_ASSERT(is_held(worker, held)); });
        break;
      case 3:
        take_over(worker_.some_worker());
        break;
      case 4:
        drain();
        break;
      case 5:
        audit(script_.ConsumeBool());
        break;
      case 6:
        ask();
        break;
      default:
        port_.wake(script_.ConsumeIntegralInRange<size_t>(0, 3));
    }
  }

  bool is_ready(Publication id) const {
    const JobWord word = make_word(EntryState::kReady, 0, id);
    return std::ranges::any_of(worker_.entries(),
                               [word](const AtomicWord& e) { return e == word; });
  }
  bool is_running(uint32_t worker, Publication id) const {
    const auto names = [id](const AtomicWord& word) {
      return word != kFreeWord && publication_of(word) == id;
    };
    return std::ranges::any_of(worker_.worker_words(worker).running, names);
  }
  bool is_held(uint32_t worker, Publication id) const {
    if (worker >= kWorkers) return false;
    const auto names = [&](JobWord word) {
      return state_of(word) == EntryState::kClaimed && worker_of(word) == worker &&
             publication_of(word) == id;
    };
    return is_running(worker, id) || std::ranges::any_of(worker_.entries(), names);
  }
  bool is_named(Publication id) const {
    bool is_running_anywhere = false;
    for (uint32_t worker = 0; worker < kWorkers; ++worker)
      is_running_anywhere |= is_running(worker, id);
    return is_running_anywhere || std::ranges::any_of(worker_.entries(), [id](JobWord word) {
             return word != kFreeWord && publication_of(word) == id;
           });
  }

  void audit(bool are_published) {
    size_t named = 0;
    const Status sane = port_.audit([are_published](Publication) { return are_published; },
                                    [&](Publication id) {
                                      RM_ASSERT(is_named(id));
                                      ++named;
                                    });
    if (!sane) return;
    RM_ASSERT(named <= worker_.entries().size() + kWorkers * kBatchMax);
    RM_ASSERT(are_published || std::ranges::all_of(worker_.entries(),
                                                   [](JobWord word) { return word == kFreeWord; }));
  }

  void ask() {
    const uint32_t worker = worker_.some_worker();
    const std::vector<Publication> running = port_.were_running(worker);
    RM_ASSERT(running.size() <= kBatchMax);
    for (const Publication id : running)
      RM_ASSERT(is_running(worker, id));
    RM_ASSERT(!port_.was_any_in_hand(worker) || !running.empty());
    RM_ASSERT(port_.were_awake() <= kWorkers);
    [[maybe_unused]] const bool unused = port_.was_any_ready() || port_.was_any_asleep();
  }

  void drain() {
    size_t scribbles = script_.ConsumeIntegralInRange(0, 8);
    const bool takes_all = script_.ConsumeBool();
    uint32_t damaged = kWorkers;
    const Status drained = port_.drain(
        [&](uint32_t worker, const ResultReader::Record& record) {
          RM_ASSERT(worker < kWorkers && record.bytes.size() < result_region_bytes(kResultBytes));
          for (const char c : std::string(record.bytes))
            touched_ += static_cast<unsigned char>(c);
          if (scribbles > 0 && scribbles-- > 0) worker_.scribble();
          return takes_all;
        },
        ~uint64_t{0}, damaged);
    RM_ASSERT(drained.has_value() == (damaged == kWorkers) && damaged <= kWorkers);
  }

  void take_over(uint32_t worker) {
    const std::vector<Publication> jobs = port_.take_over(worker);
    RM_ASSERT(jobs.size() <= kBatchMax + 1);  // the jobs in hand, and one being claimed
    for (const Publication id : jobs)
      RM_ASSERT(id.job < kJobSlotsMax);
    RM_ASSERT(port_.was_state(worker) == WorkerState::kAbsent);
    for (const AtomicWord& running : worker_.worker_words(worker).running)
      RM_ASSERT(running == kFreeWord);
    RM_ASSERT(std::ranges::none_of(worker_.entries(), [worker](JobWord word) {
      return state_of(word) == EntryState::kClaimed && worker_of(word) == worker;
    }));
  }

  FuzzedDataProvider& script_;
  const Geometry geometry_ = make_geometry();
  MasterPort port_;
  fuzz::Scribbler worker_;
  uint64_t touched_ = 0;
};

}  // namespace
}  // namespace ringmaster::ipc

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider script(data, size);
  ringmaster::ipc::Play(script).run();
  return 0;
}
