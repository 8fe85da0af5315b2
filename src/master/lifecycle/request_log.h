// RequestLog: what the log says of requests: summaries of those that fail, and the access log.
//
// Processes: the master only. A view of the recorder: nothing may be recorded once it is destroyed.
// Limits:    of failures one line a second for each method, reason and upstream.
#pragma once

#include <cstdint>

#include "base/telemetry/failure_summary.h"
#include "base/telemetry/recorder.h"
#include "base/telemetry/stages.h"
#include "base/uv_handle.h"
#include "config/options.h"

namespace ringmaster::master {

class RequestLog {
 public:
  RequestLog(uv_loop_t* loop, telemetry::Recorder& recorder);

  // These options serve from now on.
  void set_options(const Options& options);

 private:
  void on_end(const telemetry::Event& end, uint64_t number);
  void log_access(const telemetry::Event& end, const telemetry::Stages& stages) const;
  void log_failures(const telemetry::FailureSummary::Line& line) const;

  telemetry::Recorder& recorder_;
  telemetry::FailureSummary failures_;
  uint64_t access_every_ = 0;  // one line for so many requests; 0: none
  uint64_t until_access_ = 0;  // so many requests go without one
  UvHandle<uv_timer_t> tick_;
};

}  // namespace ringmaster::master
