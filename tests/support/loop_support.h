// Shared by the tests of net: a libuv loop with a deadline, and plain client sockets.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/fd.h"
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

// Not open: no socket listens there.
inline Fd connect_to(uint16_t port, bool is_v6 = false) {
  Fd client(::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_addr = in6addr_loopback;
  const int error =
      is_v6 ? ::connect(client.get(), reinterpret_cast<const sockaddr*>(&v6), sizeof v6)
            : ::connect(client.get(), reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  if (error != 0) client.reset();
  return client;
}

}  // namespace ringmaster::test
