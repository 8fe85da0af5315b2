// Loop: the master's event loop.
#pragma once

#include <memory>
#include <uv.h>

#include "base/status.h"

namespace ringmaster::master {

struct CloseLoop {
  void operator()(uv_loop_t* loop) const;
};
// All handles on the loop must be closing when it is destroyed: the destructor runs their close
// callbacks.
using Loop = std::unique_ptr<uv_loop_t, CloseLoop>;

// Makes a loop, and starts the threads of libuv's thread pool.
Result<Loop> make_loop();

}  // namespace ringmaster::master
