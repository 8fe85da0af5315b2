// Signals: the signals that the master handles, as callbacks of the event loop.
//
// Processes: the master only.
// Threads:   the loop's only: libuv passes a signal on from any thread.
// End:       signals after the destructor are ignored: their default action would kill a process
//            that ends in order.
#pragma once

#include <functional>
#include <vector>

#include "base/uv_handle.h"

namespace ringmaster::master {

class Signals {
 public:
  using OnSignal = std::function<void(int signal)>;

  Signals(uv_loop_t* loop, OnSignal on_signal);
  ~Signals();

 private:
  OnSignal on_signal_;
  std::vector<UvHandle<uv_signal_t>> handles_;
};

}  // namespace ringmaster::master
