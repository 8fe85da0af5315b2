// run_in_foreground(): loads one handler and runs one job of it in this process, for people who
// test, debug or profile the handler.
//
// The job goes through shared memory, as to a worker: its params are checked, and the handler's
// inputs are padded and read-only. There is no sandbox and no deadline.
// Processes: the process of `ringmaster run` or `replay`, which is master, fork server and worker
//            in one. It forks no other.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "ipc/handler_spec.h"

namespace ringmaster::worker {

struct ForegroundJob {
  std::string method;  // the name that the handler is told
  std::string params;  // a JSON object or array; empty: none
  // The outputs of the steps before, each with its step's name. REQUIRES: fewer than kViewsMax.
  std::vector<std::pair<std::string, std::string>> inputs;
  std::string id = "1";          // of the request, as JSON
  std::string traceparent = {};  // empty: none
};

// As in a result record: see ipc/result_ring.h.
struct ForegroundResult {
  int32_t code = 0;
  std::string bytes;
  bool was_run = false;
};

// `result_bytes`: the longest result. If the handler cannot be loaded, fails as a start of the
// server does. The handler stays loaded. Call it once.
[[nodiscard]] Result<ForegroundResult> run_in_foreground(const ipc::HandlerSpec& spec,
                                                         const ForegroundJob& job,
                                                         uint64_t result_bytes);

}  // namespace ringmaster::worker
