// How a process that the fork server has just forked becomes a worker: at once, or, as the spare,
// when its order comes.
//
// Processes: the new one only; serve_inline() runs in the fork server itself.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "base/status.h"
#include "ipc/confinement.h"
#include "ipc/control.h"
#include "ipc/layout.h"
#include "ipc/method_spec.h"
#include "worker/child.h"
#include "worker/crash/crash_report.h"
#include "worker/handler.h"

namespace ringmaster::worker {

// What the fork server has made and loaded, and its children inherit.
struct Loaded {
  std::string generation;  // for the processes' titles
  ipc::Geometry geometry;
  ipc::Confinement confinement;
  CrashReports reports;
  std::vector<Handler> handlers;
  std::vector<ipc::MethodSpec> methods;
  ForkHooks hooks;
};

// REQUIRES: all descriptors of ipc/control.h are open. `order`: the fork server's order to fork.
[[noreturn]] void become_worker(Loaded& loaded, ipc::ControlMessage& order, pid_t fork_server);

// Confines the process, and waits for its order. Ends when the other end of `orders` is closed.
// REQUIRES: all descriptors of ipc/control.h are open.
[[noreturn]] void stand_by(Loaded& loaded, ipc::ControlChannel orders, pid_t fork_server);

// The fork server becomes the worker, unconfined. Returns when the master has closed the channel.
[[nodiscard]] Status serve_inline(Loaded& loaded, ipc::ControlMessage& order);

}  // namespace ringmaster::worker
