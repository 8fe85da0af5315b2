// MasterPort: what the master does with the shared memory of one generation: publish jobs, take
// results, and find out what a dead worker had in hand.
//
// Processes: the master only. worker_port.h is the other side.
// Death:     take_over() is called once the worker has been reaped, after drain(): see invariant 4
//            in README.md.
// Trust:     results are checked against nothing but their own shape here: whether a record's
//            publication is one that is with the workers, the run stage knows.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "base/fd.h"
#include "ipc/layout.h"
#include "ipc/region.h"
#include "ipc/result_ring.h"

namespace ringmaster::ipc {

class MasterPort {
 public:
  [[nodiscard]] static Result<MasterPort> create(const Geometry& geometry);

  int control_memory_fd() const { return control_memory_.get(); }
  int event_fd() const { return event_.get(); }
  // After event_fd() was readable. Never waits, and cannot fail: create() has tried it.
  void take_rings() { RM_ASSERT(MasterBell::try_take_rings(event_.get())); }

  // A new result ring for the worker that is about to be forked into this slot. Its memory, for
  // that worker alone: no other one can map it. Not while a worker has the slot.
  // Works also where the process has no descriptor left, if keep_spares() was called since the last
  // memory was closed.
  [[nodiscard]] Result<Fd> renew_results(uint32_t worker);
  void keep_spares();

  // Publishes a job whose header is filled in, and wakes nobody. False: the ring is full.
  [[nodiscard]] bool try_publish(Publication id) { return ring_.try_publish(id); }
  [[nodiscard]] bool try_withdraw(Publication id) { return ring_.try_withdraw(id); }
  bool was_any_ready() const { return ring_.was_ready().has_value(); }
  // A published job that no worker has claimed; whether no worker has claimed this one.
  std::optional<Publication> was_ready() const { return ring_.was_ready(); }
  bool was_ready(Publication id) const { return ring_.is_ready(id); }
  // Wakes up to `count` of the workers that sleep, first those that were busy last: their caches
  // are warmest. Returns how many it has woken.
  size_t wake(size_t count);
  // Workers that do not sleep, those that are not up yet left out; whether there are any that do.
  size_t were_awake() const;
  bool was_any_asleep() const;

  // Hands each result to `take`, oldest first per worker, and frees its space. Of one worker's it
  // takes about `bytes_each`, and never more than its ring holds, so that a worker which writes on
  // and on keeps nobody here. Fails on the first damaged ring, and on the first result that `take`
  // refuses by false, naming the worker in `damaged`: nothing that comes after it is taken.
  using TakeResult = std::function<bool(uint32_t worker, const ResultReader::Record& record)>;
  [[nodiscard]] Status drain(const TakeResult& take, uint64_t bytes_each, uint32_t& damaged);

  size_t worker_slots() const { return worker_words_.size(); }
  // The publications that a worker was seen to have in hand; it may have answered some already.
  std::vector<Publication> were_running(uint32_t worker) const;
  bool was_any_in_hand(uint32_t worker) const {
    return worker_words_[worker].running[0].load(std::memory_order_acquire) != kFreeWord;
  }
  // The worker that was seen to have this publication in hand.
  std::optional<uint32_t> was_held_by(Publication id) const;
  // What a reaped worker had claimed or was running (the same publication may be named by two
  // words), answered ones included. Afterwards its slot is as new.
  std::vector<Publication> take_over(uint32_t worker);

  // Looks at the workers' words and the ring: one that no worker of ours can have written is an
  // error. (The results have their own check, in drain(); the cursor is a hint, and the master's
  // bell is set anew before and after each wait.) Else the publications that the words name.
  // `is_published` is asked about those in the ring: is it with the workers, as far as we know?
  // One of which we knew that before the call, and which is neither named nor among the results
  // that the next drain() takes, was lost by a worker that writes where it must not.
  using IsPublished = std::function<bool(Publication id)>;
  [[nodiscard]] Result<std::vector<Publication>> audit(const IsPublished& is_published) const;

  WorkerState was_state(uint32_t worker) const { return worker_words_[worker].bell.was_state(); }

  // Around the event loop's wait: after announce_sleep() results must be looked for once more.
  void announce_sleep() { head_->master_bell.announce_sleep(); }
  void cancel_sleep() { head_->master_bell.cancel_sleep(); }
  bool was_any_result() const;

 private:
  MasterPort(Region control, const Geometry& geometry);
  bool try_wake_one();
  Status audit_entry(size_t entry, const IsPublished& is_published,
                     std::vector<Publication>& named) const;
  Status audit_worker(uint32_t worker, std::vector<Publication>& named) const;

  struct Results {
    Region memory;
    ResultReader reader;
  };

  uint32_t job_slots_;
  uint64_t result_bytes_;
  Fd control_memory_;
  Fd event_;
  Fd spares_[2];  // to make a memory takes one descriptor, to map it another one
  Region control_;
  ControlHead* head_;
  std::span<WorkerWords> worker_words_;
  Ring ring_;
  std::vector<std::optional<Results>> results_;  // by worker slot; none: it never had a worker
  // By worker slot: which one of all that were taken was its last.
  std::vector<uint64_t> last_result_at_;
  uint64_t results_taken_ = 0;
};

}  // namespace ringmaster::ipc
