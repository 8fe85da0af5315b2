// WorkerPort: the worker's side of its generation's shared memory: takes jobs, reads their
// payloads, gives back results.
//
// Processes: one worker. master_port.h is the other side.
// Death:     at every instruction a ring entry, a running word or a published result names each job
//            in hand: README.md has the steps. A worker that dies between commit() and finish() has
//            answered.
// Memory:    the payload is mapped read-only: a handler that writes to its input gets SIGSEGV.
// Trust:     every handler can write the ring's words; only the master can write headers. So a
//            job's slot number is checked before its header is read.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "ipc/layout.h"
#include "ipc/region.h"
#include "ipc/result_ring.h"
#include "ipc/sample_ring.h"

namespace ringmaster::ipc {

class WorkerPort {
 public:
  // The memories that all workers share. The mappings outlive the descriptors.
  struct Shared {
    Region control;
    Region payload;
  };
  [[nodiscard]] static Result<Shared> map(const Geometry& geometry, int control_fd, int payload_fd);
  // `results_fd`: the memory of this worker's results, which open() maps.
  [[nodiscard]] static Result<WorkerPort> open(const Geometry& geometry, uint32_t worker,
                                               Shared shared, int results_fd);

  // Tells the master that this worker is ready for its first job.
  void announce_ready();

  struct Job {
    Publication id;
    const JobHeader* header;
  };
  // Takes the oldest published job, if there is one. The worker has it in hand until finish(), at
  // most kBatchMax jobs in all. Fails if another worker's handler has forged the ring's word: the
  // word names a job slot that does not exist, or a header without valid views. The entry stays
  // claimed by this worker, which should end.
  [[nodiscard]] Result<std::optional<Job>> try_next();
  // Like try_next(), but takes only a job with the handler of `first`, which fits into its batch.
  std::optional<Job> try_next_like(const Job& first);
  bool was_any_ready() const { return ring_.was_ready().has_value(); }
  // The number of unclaimed jobs divided by the number of workers that are up, rounded down.
  size_t was_share() const;
  // Sleeps until a job may be ready, at most `timeout_ns`.
  void wait(uint64_t timeout_ns);
  // Call when all jobs in hand are answered. Wakes the master if these were several.
  void finish();

  // The samples that the worker takes of its own stack.
  SampleRing& samples() const { return sample_ring_in({results_.data(), results_.size()}); }

  std::string_view bytes(View view) const;
  uint64_t result_bytes() const { return result_bytes_; }  // as in Geometry
  // Room for a result in the ring. While the ring is full, waits for the master to take results.
  // Null: `size` is more than Geometry::result_bytes.
  char* reserve(size_t size);
  // Publishes the reserved result, or an error's message, and wakes the master; with several jobs
  // in hand, not a master that naps. `run_ns`: see RecordHeader. `cpu_ns`: the CPU time; 0: not
  // measured.
  void commit(Publication id, int32_t code, size_t size, uint64_t run_ns, uint64_t cpu_ns = 0);

 private:
  WorkerPort(Region control, Region payload, Region results, const Geometry& geometry,
             uint32_t worker);
  Status check(Publication id) const;
  Job take(const Ring::Claim& claim);

  Region control_;
  Region payload_;
  Region results_;
  uint32_t job_slots_;
  uint64_t result_bytes_;
  uint32_t worker_;
  size_t in_hand_ = 0;
  ControlHead* head_;
  std::span<const WorkerWords> workers_;
  WorkerWords* words_;
  const JobHeader* headers_;
  Ring ring_;
  ResultWriter writer_;
};

}  // namespace ringmaster::ipc
