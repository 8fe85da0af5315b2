// Loop: the master's event loop.
#pragma once

#include <memory>
#include <uv.h>

#include "base/status.h"

namespace ringmaster::master {

struct CloseLoop {
  void operator()(uv_loop_t* loop) const;
};
// All handles on it must be closing when it ends: it runs their callbacks.
using Loop = std::unique_ptr<uv_loop_t, CloseLoop>;

// Its thread pool has its threads already.
Result<Loop> make_loop();

}  // namespace ringmaster::master
