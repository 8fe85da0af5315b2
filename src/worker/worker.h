// Worker: claims jobs, runs handlers, gives back results, until SIGTERM.
//
// Processes: one per worker slot, forked by the fork server. No sockets, no event loop, one thread.
// Death:     a death at any instruction interrupts at most the jobs in hand. The master finds them
//            by the words in shared memory, and gives them to other workers.
// Signals:   SIGTERM: finish the jobs in hand, then leave with exit code 0.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/status.h"
#include "ipc/layout.h"
#include "ipc/method_spec.h"
#include "ipc/worker_port.h"
#include "worker/handler.h"

namespace ringmaster::worker {

struct WorkerOptions {
  uint32_t slot = 0;
  std::string generation;  // for the process title
  ipc::Geometry geometry;
  bool is_inline = false;  // see forkserver.h
  bool is_idle = false;    // SCHED_IDLE: the worker runs when no other process wants to
};

// Call in the worker's process, with its memories. REQUIRES: the process is confined, and of the
// descriptors of ipc/control.h it has kEventFd, inline also kControlFd. Returns after SIGTERM, if
// the worker cannot start, or if another worker's handler has damaged the ring's words.
[[nodiscard]] Status serve_jobs(const WorkerOptions& options, ipc::WorkerPort::Shared shared,
                                Fd result_memory, const std::vector<Handler>& handlers,
                                const std::vector<ipc::MethodSpec>& methods);

}  // namespace ringmaster::worker
