#include "ipc/master_port.h"

#include <algorithm>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <utility>

namespace ringmaster::ipc {

Result<MasterPort> MasterPort::create(const Geometry& geometry) {
  const size_t control_bytes = geometry.control_bytes();
  Result<Fd> control_memory = create_memory("ringmaster-control", control_bytes);
  if (!control_memory) return tl::unexpected(control_memory.error());
  Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.is_open()) return fail_errno("eventfd", errno);
  if (!MasterBell::try_take_rings(event.get())) {
    return fail_errno("read an eventfd without waiting (expected Linux 5.8 or later)", errno);
  }
  Result<Region> control = Region::map(control_memory->get(), Access::kReadWrite, 0, control_bytes);
  if (!control) return tl::unexpected(control.error());
  MasterPort port(std::move(*control), geometry);
  port.control_memory_ = std::move(*control_memory);
  port.event_ = std::move(event);
  port.keep_spares();
  return port;
}

MasterPort::MasterPort(Region control, const Geometry& geometry)
    : job_slots_(geometry.job_slots),
      result_bytes_(geometry.result_bytes),
      control_(std::move(control)),
      head_(reinterpret_cast<ControlHead*>(control_.data())),
      worker_words_(reinterpret_cast<WorkerWords*>(control_.data() + sizeof(ControlHead)),
                    geometry.worker_slots),
      ring_({reinterpret_cast<AtomicWord*>(control_.data() + geometry.entries_offset()),
             geometry.ring_entries},
            head_->cursor),
      results_(geometry.worker_slots),
      has_worker_(geometry.worker_slots),
      last_result_at_(geometry.worker_slots) {}

Result<Fd> MasterPort::renew_results(uint32_t worker) {
  const size_t bytes = worker_memory_bytes(result_bytes_);
  for (Fd& spare : spares_)
    spare.reset();
  Result<Fd> memory = create_memory("ringmaster-results", bytes);
  if (!memory) return memory;
  Result<Region> region = Region::map(memory->get(), Access::kReadWrite, 0, bytes);
  if (!region) return tl::unexpected(region.error());
  const ResultReader reader({region->data(), result_region_bytes(result_bytes_)});
  results_[worker].emplace(Results{std::move(*region), reader});
  has_worker_[worker] = true;
  return memory;
}

void MasterPort::keep_spares() {
  for (Fd& spare : spares_) {
    if (!spare.is_open()) spare = Fd(::fcntl(event_.get(), F_DUPFD_CLOEXEC, 0));
  }
}

std::vector<StackSample> MasterPort::samples_of(uint32_t worker, Publication job) const {
  if (!results_[worker]) return {};
  const Region& memory = results_[worker]->memory;
  return ipc::samples_of(sample_ring_in({memory.data(), memory.size()}), job);
}

size_t MasterPort::wake(size_t count) {
  size_t woken = 0;
  while (woken < count && try_wake_one())
    ++woken;
  return woken;
}

size_t MasterPort::were_awake() const {
  return static_cast<size_t>(std::count_if(
      worker_words_.begin(), worker_words_.end(),
      [](const WorkerWords& words) { return words.bell.was_state() == WorkerState::kAwake; }));
}

bool MasterPort::was_any_asleep() const {
  return std::any_of(worker_words_.begin(), worker_words_.end(), [](const WorkerWords& words) {
    return words.bell.was_state() == WorkerState::kAsleep;
  });
}

bool MasterPort::try_wake_one() {
  for (;;) {
    WorkerWords* latest = nullptr;
    uint64_t latest_at = 0;
    for (size_t i = 0; i < worker_words_.size(); ++i) {
      if (worker_words_[i].bell.was_state() != WorkerState::kAsleep) continue;
      if (latest != nullptr && last_result_at_[i] < latest_at) continue;
      latest = &worker_words_[i];
      latest_at = last_result_at_[i];
    }
    if (latest == nullptr) return false;
    // A worker that woke up by itself meanwhile does not count: it may have looked for jobs before
    // the publication.
    if (latest->bell.try_wake()) return true;
  }
}

Status MasterPort::drain(const TakeResult& take, uint64_t bytes, uint32_t& damaged) {
  uint64_t left = bytes;
  for (size_t i = 0; i < results_.size() && left > 0; ++i) {
    const uint32_t worker = next_drained_;
    next_drained_ = worker + 1 < results_.size() ? worker + 1 : 0;
    if (!results_[worker]) continue;
    ResultReader& reader = results_[worker]->reader;
    uint64_t left_of_ring = reader.capacity();
    while (left > 0 && left_of_ring > 0) {
      Result<std::optional<ResultReader::Record>> record = reader.peek();
      if (!record) {
        damaged = worker;
        return tl::unexpected(record.error());
      }
      if (!*record) break;
      last_result_at_[worker] = ++results_taken_;
      const uint64_t taken = sizeof(RecordHeader) + (*record)->bytes.size();
      left -= std::min(left, taken);
      left_of_ring -= std::min(left_of_ring, taken);
      if (!take(worker, **record)) {
        damaged = worker;
        return fail(ExitCode::kInternal, "a result of a job that no worker has");
      }
      reader.pop();
    }
  }
  return {};
}

bool MasterPort::was_any_result() const {
  for (const std::optional<Results>& results : results_) {
    if (results && !results->reader.was_empty()) return true;
  }
  return false;
}

std::vector<Publication> MasterPort::were_running(uint32_t worker) const {
  std::vector<Publication> jobs;
  for (const AtomicWord& word : worker_words_[worker].running) {
    const JobWord running = word.load(std::memory_order_acquire);
    if (running != kFreeWord) jobs.push_back(publication_of(running));
  }
  return jobs;
}

bool MasterPort::was_running(uint32_t worker, Publication id) const {
  if (!has_worker(worker)) return false;
  const auto& running = worker_words_[worker].running;
  return std::any_of(std::begin(running), std::end(running), [id](const AtomicWord& word) {
    const JobWord named = word.load(std::memory_order_acquire);
    return named != kFreeWord && publication_of(named) == id;
  });
}

// Reads the entries before the running words: a worker stores its running word before it frees the
// entry.
void MasterPort::see_held(const See& see) const {
  for (size_t entry = 0; entry < ring_.capacity(); ++entry) {
    const JobWord word = ring_.was_at(entry);
    if (state_of(word) == EntryState::kClaimed && has_worker(worker_of(word)))
      see(worker_of(word), publication_of(word));
  }
  for (uint32_t worker = 0; worker < worker_words_.size(); ++worker) {
    if (!has_worker(worker)) continue;
    for (const AtomicWord& word : worker_words_[worker].running) {
      const JobWord running = word.load(std::memory_order_acquire);
      if (running != kFreeWord) see(worker, publication_of(running));
    }
  }
}

// Audits the entries before the running words: a worker stores its running word before it frees the
// entry, and commits a result before it clears the running word. So a job that none of these words
// names has a result.
Status MasterPort::audit(const IsPublished& is_published, const Name& name) const {
  const Result<std::vector<ReadyEntry>> ready = audit_ring(is_published, name);
  if (!ready) return tl::unexpected(ready.error());
  for (uint32_t worker = 0; worker < worker_words_.size(); ++worker) {
    if (Status sane = audit_worker(worker, *ready, name); !sane) return sane;
  }
  return {};
}

Result<std::vector<MasterPort::ReadyEntry>> MasterPort::audit_ring(const IsPublished& is_published,
                                                                   const Name& name) const {
  std::vector<ReadyEntry> ready;
  std::vector<bool> is_in_ring(job_slots_);
  for (size_t entry = 0; entry < ring_.capacity(); ++entry) {
    const JobWord word = ring_.was_at(entry);
    if (word == kFreeWord) continue;
    const Publication id = publication_of(word);
    const bool is_ready = word == make_word(EntryState::kReady, 0, id);
    const bool is_claimed = state_of(word) == EntryState::kClaimed && has_worker(worker_of(word));
    // A job leaves the ring before its result comes, so a job in the ring is not answered yet.
    if (!(is_ready || is_claimed) || id.job >= job_slots_ || !is_published(id)) {
      return fail(ExitCode::kInternal, fmt::format("ring entry {}: {:#018x}", entry, word));
    }
    // A job keeps its entry until a worker has stored it as running, so no job is in two entries.
    if (is_in_ring[id.job]) {
      return fail(ExitCode::kInternal, fmt::format("two ring entries have job {}", id.job));
    }
    is_in_ring[id.job] = true;
    if (is_ready) ready.push_back({id.job, word, entry});
    name(id);
  }
  std::ranges::sort(ready, {}, &ReadyEntry::job);
  return ready;
}

Status MasterPort::audit_worker(uint32_t worker, const std::vector<ReadyEntry>& ready,
                                const Name& name) const {
  const WorkerWords& words = worker_words_[worker];
  const bool is_ringing = words.bell.was_state() != WorkerState::kAbsent;
  if (!words.bell.was_sane() || (is_ringing && !has_worker(worker))) {
    return fail(ExitCode::kInternal, fmt::format("the bell of worker {}", worker));
  }
  for (const AtomicWord& word : words.running) {
    const JobWord running = word.load(std::memory_order_acquire);
    if (running == kFreeWord) continue;
    // The job's result may have been taken, and its slot may have another job by now. So the word
    // may name a job that is not published any more.
    const Publication id = publication_of(running);
    const bool is_its = running == make_word(EntryState::kClaimed, worker, id);
    if (!is_its || !has_worker(worker) || id.job >= job_slots_) {
      return fail(ExitCode::kInternal,
                  fmt::format("running word of worker {}: {:#018x}", worker, running));
    }
    // An entry that is still READY once a worker runs its job was written a second time.
    const auto found = std::ranges::lower_bound(ready, id.job, {}, &ReadyEntry::job);
    if (found != ready.end() && publication_of(found->word) == id &&
        ring_.was_at(found->entry) == found->word) {
      return fail(
          ExitCode::kInternal,
          fmt::format("ring entry {}: job {} is ready, and with a worker", found->entry, id.job));
    }
    name(id);
  }
  return {};
}

std::vector<Publication> MasterPort::take_over(uint32_t worker) {
  std::vector<Publication> jobs;
  const auto add = [&jobs](Publication id) {
    if (std::find(jobs.begin(), jobs.end(), id) == jobs.end()) jobs.push_back(id);
  };
  const std::vector<Publication> claimed = ring_.take_over(worker);
  for (const std::vector<Publication>& some : {were_running(worker), claimed})
    std::for_each(some.begin(), some.end(), add);
  WorkerWords& words = worker_words_[worker];
  has_worker_[worker] = false;
  for (AtomicWord& word : words.running)
    word.store(kFreeWord, std::memory_order_relaxed);
  words.bell.reset();
  if (results_[worker]) results_[worker]->reader.reset();
  return jobs;
}

}  // namespace ringmaster::ipc
