// Signals: those that the master obeys, as calls of the loop's.
//
// Processes: the master only.
// Threads:   the loop's only. Whichever thread a signal hits, libuv's handler passes it on.
// End:       what arrives after that of this object changes nothing: by its default it would make
//            an orderly end of the process a death.
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
