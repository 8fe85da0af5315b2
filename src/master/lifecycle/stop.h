// Stop: how the server ends: it refuses new requests, finishes those in flight, and ends all
// processes.
//
//   SERVING --begin()--> ANNOUNCED --after notice_ms--> STOPPING --all is answered--> ENDING
//      '--------------------- end(): the start failed ---------------------------------^
//
// ANNOUNCED is left out where shutdown.notice_ms is 0. STOPPING lasts shutdown.grace_ms at most.
// Processes: the master only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "base/uv_handle.h"
#include "master/deployment/rollout.h"
#include "master/frontend/frontend.h"
#include "master/system/systemd.h"
#include "master/tracing/trace_exporter.h"

namespace ringmaster::master {

class Stop {
 public:
  // The parts that Stop stops or informs. Each must live as long as this.
  struct Parts {
    Rollout& rollout;
    Frontend& frontend;
    TraceExporter& trace_exporter;
    Notifier& notifier;
    std::function<std::string()> status;  // the status line, for the service manager
  };

  Stop(uv_loop_t* loop, Parts parts);

  // Finishes the requests in flight first. A second call stops now.
  void begin();
  // Answers the requests in flight with an error. A second call waits neither for clients nor for
  // workers.
  void stop_now();
  // Ends all processes. `exit_code`: of serve().
  void end(ExitCode exit_code);

  // Call in each turn of the loop, after Frontend::flush(), which refuses the requests that were
  // read and then held until earlier answers were sent. Stops the loop once all has ended.
  void advance();

  bool has_begun() const { return is_announced_ || is_stopping_; }
  bool is_stopping() const { return is_stopping_; }
  bool is_ending() const { return is_ending_; }
  ExitCode exit_code() const { return exit_code_; }

 private:
  void stop();
  void limit(uint64_t limit_ms);
  void end_when_answered();

  uv_loop_t* loop_;
  const Parts parts_;
  bool is_announced_ = false;  // a stop follows: see shutdown.notice_ms
  bool is_stopping_ = false;   // no new requests are admitted
  bool is_ending_ = false;     // all requests are answered
  uint64_t answered_ns_ = 0;   // while stopping: when nothing was in flight any more
  ExitCode exit_code_ = ExitCode::kOk;
  UvHandle<uv_timer_t> timer_;  // of the notice, then of the limit
};

}  // namespace ringmaster::master
