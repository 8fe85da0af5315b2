// Signals: passes on the signals that the master obeys, and logs those that only other servers
// obey.
//
// Processes: the master only.
// Threads:   the loop's only: libuv passes a signal on from any thread.
// End:       signals after the destructor are ignored: their default action would kill a process
//            that ends in order.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "base/uv_handle.h"

namespace ringmaster::master {

class Signals {
 public:
  using OnSignal = std::function<void(int signal)>;

  // Call it before the master does anything that takes time: the signals that the master never
  // obeys must not end it.
  static void ignore_others();

  // After ignore_others(). `on_signal` gets each signal that the master obeys. Each other signal is
  // logged once only: a terminal sends SIGWINCH whenever it changes its size.
  Signals(uv_loop_t* loop, OnSignal on_signal);
  ~Signals();

 private:
  void on_other(int signal);

  OnSignal on_signal_;
  std::set<int> others_seen_;
  std::vector<UvHandle<uv_signal_t>> handles_;
};

}  // namespace ringmaster::master
