// Signals: those that the master obeys, as calls of the loop's.
//
// Processes: the master only.
// Threads:   the loop's only; the others never see one of them: libuv takes them by a handler.
// Death:     block() comes before the end of this: the default of what arrives later would make an
//            orderly end a death.
#pragma once

#include <functional>
#include <vector>

#include "net/handle.h"

namespace ringmaster::master {

class Signals {
 public:
  using OnSignal = std::function<void(int signal)>;

  Signals(uv_loop_t* loop, OnSignal on_signal);

  // From now on they change nothing any more.
  static void block();

 private:
  OnSignal on_signal_;
  std::vector<net::UvHandle<uv_signal_t>> handles_;
};

}  // namespace ringmaster::master
