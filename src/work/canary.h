// Canary: a process that tries out a handler before its generation gets any traffic.
//
// Processes: forked by the nursery, one for each handler that has a self_test(); gone when
//            try_out() returns.
// Death:     of the canary: the handler has failed. Of the nursery: the canary dies with it.
// Limits:    a test that does not end is ended by the master, which gives up the whole start
//            (workers.start_timeout_ms).
#pragma once

#include "base/status.h"
#include "work/handler.h"

namespace ringmaster::work {

// Fails, with what the handler said or what its process died of. `is_sandboxed`: as its workers.
[[nodiscard]] Status try_out(const Handler& handler, bool is_sandboxed);

}  // namespace ringmaster::work
