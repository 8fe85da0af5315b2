// Desk: gives a worker's jobs in hand to their handler, and publishes the answers.
//
// Processes: a worker. A process has one Desk, which the host functions of the handler ABI use: as
//            plain C functions they carry no pointer to it.
// Memory:    the handler gets views of params, inputs and names where they lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ringmaster/handler.h>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "ipc/layout.h"
#include "ipc/method_spec.h"
#include "ipc/worker_port.h"
#include "worker/handler.h"
#include "worker/overrun_timer.h"

namespace ringmaster::worker {

class Desk {
 public:
  Desk(ipc::WorkerPort& port, const std::vector<Handler>& handlers,
       const std::vector<ipc::MethodSpec>& methods, OverrunTimer& overrun_timer);
  ~Desk();
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  // Whether this job's handler and method exist, and the method has a step for each input.
  [[nodiscard]] Status check(const ipc::WorkerPort::Job& job) const;
  // Runs a batch of at least one job, all of one handler. REQUIRES: each was checked.
  void serve(std::span<const ipc::WorkerPort::Job> jobs);

  // The job in hand that the worker is at: the first that is not answered. Empty: none, or there is
  // no Desk. Async-signal-safe.
  static std::optional<ipc::Publication> job_at_work();

  char* reserve(const rm_job* job, size_t size);
  void commit(const rm_job* job, size_t size);
  void fail(const rm_job* job, int32_t code, std::string_view message, std::string_view details);

 private:
  struct Item {
    ipc::Publication id;
    bool is_answered = true;
    uint64_t ends_ns = 0;   // when the master ends this worker for this job
    uint64_t check_ns = 0;  // how long the check of its params took
    rm_input inputs[ipc::kViewsMax - 1];
  };

  // Adds the job to the batch, or answers it with an error. Returns the time after the check.
  uint64_t take(const ipc::WorkerPort::Job& job, const Handler& handler, uint64_t now);
  void run(const Handler& handler);
  Item* item_of(const rm_job* job);
  // Marks the job as answered, so that it overruns no more. Prints what the handler has buffered.
  void close(Item& item);
  // Answers with an error. `run_ns`: see ipc::RecordHeader. `details`: JSON; empty: none.
  void answer(Item& item, int32_t code, std::string_view message, uint64_t run_ns,
              std::string_view details = {});
  // The CPU time of the batch so far, divided by its jobs; 0: not measured.
  uint64_t cpu_ns() const;
  uint64_t run_ns(const Item& item) const {
    return item.check_ns + (now_ns() - begun_ns_) / count_;
  }

  ipc::WorkerPort& port_;
  const std::vector<Handler>& handlers_;
  const std::vector<ipc::MethodSpec>& methods_;
  OverrunTimer& overrun_timer_;
  // The batch that the handler has.
  size_t count_ = 0;
  rm_job jobs_[ipc::kBatchMax];
  Item items_[ipc::kBatchMax];
  uint64_t begun_ns_ = 0;  // when all jobs of the batch were checked
  const Handler* handler_ = nullptr;
  uint64_t ends_ns_ = 0;  // when the master ends this worker for a job without an answer
  bool measures_cpu_ = false;
  uint64_t cpu_begun_ns_ = 0;
  // The last reserved room, and its job; null: none.
  Item* reserver_ = nullptr;
  char* reserved_ = nullptr;
  size_t reserved_size_ = 0;
};

}  // namespace ringmaster::worker
