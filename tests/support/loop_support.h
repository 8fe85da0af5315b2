// A libuv loop with a deadline.
#pragma once

#include <doctest/doctest.h>
#include <uv.h>

#include "support.h"

namespace ringmaster::test {

class Loop {
 public:
  Loop() { REQUIRE(uv_loop_init(&loop_) == 0); }
  // Closes the loop. REQUIRES: all users of the loop have released their handles.
  ~Loop() {
    uv_run(&loop_, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop_) == 0);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  uv_loop_t* get() { return &loop_; }

  template <class IsDone>
  void run_until(IsDone is_done) {
    const Deadline deadline;
    uv_timer_t tick;  // so that the loop checks the deadline
    uv_timer_init(&loop_, &tick);
    uv_timer_start(
        &tick, [](uv_timer_t*) {}, 100, 100);
    while (!is_done() && !deadline.is_over())
      uv_run(&loop_, UV_RUN_ONCE);
    uv_close(reinterpret_cast<uv_handle_t*>(&tick), nullptr);
    while (uv_is_active(reinterpret_cast<uv_handle_t*>(&tick)))
      uv_run(&loop_, UV_RUN_NOWAIT);
    uv_run(&loop_, UV_RUN_NOWAIT);  // runs the close callback: the timer is on this stack
    REQUIRE(is_done());
  }

 private:
  uv_loop_t loop_;
};

}  // namespace ringmaster::test
