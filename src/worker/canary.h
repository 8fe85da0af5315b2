// Canary: a process that tries something out before its generation gets any traffic: a handler's
// self-test, and how the workers will be confined.
//
// Processes: forked by the fork server, one for each thing to try; gone when it has been tried.
// Death:     of the canary: what it tried has failed. Of the fork server: the canary dies with it.
// Limits:    a test that does not end is ended by the master, which gives up the whole start
//            (workers.start_timeout_ms).
#pragma once

#include <string>

#include "base/status.h"
#include "ipc/confinement.h"
#include "worker/handler.h"

namespace ringmaster::worker {

// Confines a process as the workers will be. Returns what their sandbox lacks: see confine().
[[nodiscard]] Result<std::string> try_confine(const ipc::Confinement& confinement);

// Fails, with what the handler said or what its process died of.
[[nodiscard]] Status try_out(const Handler& handler, const ipc::Confinement& confinement);

}  // namespace ringmaster::worker
