// Ring: hands jobs from the master to the workers, in about the order in which they were published.
//
//   FREE --publish--> READY --claim--> CLAIMED(worker) --release--> FREE
//                      READY --withdraw--> FREE
//                                       CLAIMED(worker) --give back--> READY
//
// Processes: publish(), withdraw() and take_over(): master only; claim(), release()
//            and give_back(): workers; was_ready(), were_ready(), is_ready() and was_at(): any.
// Death:     if a worker is killed inside claim(), either the entry is still READY and another
//            worker takes the job, or the entry names the killed worker. Before release(), a
//            worker stores the job in one of its own words (WorkerWords::running). give_back()
//            needs none: the entry itself goes on naming the job. So a word names the job at every
//            instruction.
// Memory:    the entries lie in the control region; each process has a Ring object of its own.
// Limits:    capacity fixed at creation.
// Orders:    claim()'s compare-exchange acquires what publish() released: the job's header and
//            payload; give_back() releases them again. publish() and was_ready() are sequentially
//            consistent for the doorbell: see doorbell.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "ipc/job_word.h"

namespace ringmaster::ipc {

using AtomicWord = std::atomic<uint64_t>;
static_assert(AtomicWord::is_always_lock_free && sizeof(AtomicWord) == 8);

class Ring {
 public:
  // `cursor` is a hint at the oldest READY entry; any value is safe.
  Ring(std::span<AtomicWord> entries, AtomicWord& cursor) : entries_(entries), cursor_(cursor) {}

  size_t capacity() const { return entries_.size(); }

  // False: no entry is free.
  [[nodiscard]] bool try_publish(Publication id);

  // Takes a published job back. False: when the search passed the job's entry, a worker had claimed
  // the job. It may have given the job back since.
  [[nodiscard]] bool try_withdraw(Publication id);

  struct Claim {
    size_t entry;
    Publication id;
  };
  // Empty: no entry was READY.
  std::optional<Claim> try_claim(uint32_t worker);
  // Makes the entry READY again, the next to be claimed by any worker. Wakes no worker.
  void give_back(const Claim& claim);
  void release(size_t entry) { entries_[entry].store(kFreeWord, std::memory_order_release); }

  // The oldest unclaimed job; the number of unclaimed jobs.
  std::optional<Publication> was_ready() const;
  size_t were_ready() const;
  bool is_ready(Publication id) const;
  JobWord was_at(size_t entry) const { return entries_[entry].load(std::memory_order_acquire); }

  // Frees the entries of a reaped worker, and returns the jobs that it had claimed and not
  // released: one, unless the ring is damaged.
  std::vector<Publication> take_over(uint32_t worker);

 private:
  std::span<AtomicWord> entries_;
  AtomicWord& cursor_;
  size_t next_ = 0;  // where the master publishes next; unused in workers
};

}  // namespace ringmaster::ipc
