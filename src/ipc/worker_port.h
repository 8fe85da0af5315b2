// WorkerPort: what a worker does with the shared memory of its generation: take jobs, read their
// payloads, give back results.
//
// Processes: one worker. master_port.h is the other side.
// Death:     at every instruction each job in hand is named by the ring's entry, by a running word
//            or by a published result: README.md has the steps. A worker that dies after commit()
//            and before finish() has still answered.
// Memory:    the payload is mapped read-only: a handler that writes to its input gets SIGSEGV.
// Trust:     each worker's handler can write the ring's words; only the master can write headers.
//            So the number of a job is checked before its header is read.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "ipc/layout.h"
#include "ipc/region.h"
#include "ipc/result_ring.h"

namespace ringmaster::ipc {

class WorkerPort {
 public:
  // Maps the memories that the fork server inherited (see control.h), and that of this worker's
  // results. The mappings outlive the descriptors.
  [[nodiscard]] static Result<WorkerPort> open(const Geometry& geometry, uint32_t worker,
                                               int result_memory_fd);

  // Says that this worker is ready for its first job.
  void announce_ready();

  struct Job {
    Publication id;
    const JobHeader* header;
  };
  // Takes the oldest published job, if there is one. The job is this worker's until finish(). Up to
  // kBatchMax may be in hand. An error: a handler of another worker has forged the ring's word. It
  // named a job that cannot be, whose header would be read from bytes that a client has sent; the
  // entry stays claimed by this worker, which should end.
  [[nodiscard]] Result<std::optional<Job>> try_next();
  // The same, if that one can be served together with `first`: by the same handler, in a batch.
  std::optional<Job> try_next_like(const Job& first);
  // Of the jobs that nobody has claimed: how many there are for each worker that is up.
  size_t was_share() const;
  // Sleeps until there may be a job, at most `timeout_ns`.
  void wait(uint64_t timeout_ns);
  // All jobs in hand are done.
  void finish();

  std::string_view bytes(View view) const;
  // Room for a result, straight in the ring. Waits, if it must, for the master to take older
  // ones. Null: longer than Geometry::result_bytes.
  char* reserve(size_t size);
  // Publishes the reserved result, or an error whose message it is, and wakes the master. The run
  // has taken `run_ns`; kNotRun: the handler was not called.
  void commit(Publication id, int32_t code, size_t size, uint64_t run_ns);

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
