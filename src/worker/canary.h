// Canary: a process that runs one trial before its generation gets any jobs: a handler's self-test,
// or the workers' confinement.
//
// Processes: forked by the fork server, one for each trial; ends with the trial.
// Death:     if the canary dies, its trial has failed. If the fork server dies, so does the canary.
// Limits:    if a trial does not end, the master gives up the whole start
//            (workers.start_timeout_ms).
#pragma once

#include <string>

#include "base/status.h"
#include "ipc/confinement.h"
#include "worker/child.h"
#include "worker/handler.h"

namespace ringmaster::worker {

// Confines a canary as the workers will be. Returns the refused steps of the sandbox: see
// confine().
[[nodiscard]] Result<std::string> try_confine(const ipc::Confinement& confinement);

// Runs the handler's self-test. Fails with the handler's message, or with how the canary died.
[[nodiscard]] Status try_out(const Handler& handler, const ipc::Confinement& confinement,
                             const ForkHooks& hooks);

}  // namespace ringmaster::worker
