// HandlerLoader: loads handlers into this process, one after the other, and refuses a handler that
// leaves threads or processes running: a process with threads cannot be forked safely.
//
// Processes: the fork server; the process of `ringmaster run`.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/status.h"
#include "ipc/handler_spec.h"
#include "worker/handler.h"

namespace ringmaster::worker {

class HandlerLoader {
 public:
  // Sets OMP_NUM_THREADS=1, and makes this process a child subreaper until the destructor, unless
  // it has children. REQUIRES: no handler was loaded yet.
  HandlerLoader();
  ~HandlerLoader();
  HandlerLoader(const HandlerLoader&) = delete;
  HandlerLoader& operator=(const HandlerLoader&) = delete;

  // Handler::load(), then the checks. Ends the processes that the handler has left. An error names
  // the handler and the fault.
  [[nodiscard]] Result<Handler> load(const ipc::HandlerSpec& spec) const;

  // Ends the processes that the handler has left, and fails if there were any. `after`: the
  // function that has left them.
  [[nodiscard]] Status refuse_processes(const std::string& handler, std::string_view after) const;

 private:
  // Kills and reaps the children that were not there at the start, and their descendants. Returns
  // the number of all these, including those that had ended already.
  size_t end_children() const;

  size_t threads_at_start_;               // 1, or more with a sanitizer
  std::vector<pid_t> children_at_start_;  // the shell may have given some to `ringmaster run`
};

}  // namespace ringmaster::worker
