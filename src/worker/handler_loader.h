// HandlerLoader: loads handlers into this process, one after the other, and refuses a handler that
// leaves threads or processes running: a process with threads cannot be forked safely.
//
// Processes: the fork server; the process of `ringmaster run`.
#pragma once

#include <cstddef>

#include "base/status.h"
#include "ipc/handler_spec.h"
#include "worker/handler.h"

namespace ringmaster::worker {

class HandlerLoader {
 public:
  // Sets OMP_NUM_THREADS=1. REQUIRES: no handler was loaded yet.
  HandlerLoader();

  // Handler::load(), then the checks. Ends the processes that the handler has left. An error names
  // the handler and the fault.
  [[nodiscard]] Result<Handler> load(const ipc::HandlerSpec& spec) const;

 private:
  size_t threads_at_start_;  // 1, or more with a sanitizer
};

}  // namespace ringmaster::worker
