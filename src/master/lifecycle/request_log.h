// RequestLog: what the log says of requests: summaries of those that fail, the access log, and slow
// requests, with the stacks that their workers had.
//
// Processes: the master only. A view of the recorder: the recorder must outlive it, and record
//            nothing after its end.
// Limits:    a second has one line about failures for each method, reason, upstream and stage, and
//            for each method two lines about slow requests, one of them with a stack.
#pragma once

#include <cstdint>
#include <vector>

#include "base/log.h"
#include "base/telemetry/failure_summary.h"
#include "base/telemetry/recorder.h"
#include "base/telemetry/stages.h"
#include "base/uv_handle.h"
#include "config/options.h"

namespace ringmaster::master {

class RequestLog {
 public:
  RequestLog(uv_loop_t* loop, telemetry::Recorder& recorder);
  // Logs the failures that are counted and not logged yet.
  ~RequestLog();
  RequestLog(const RequestLog&) = delete;
  RequestLog& operator=(const RequestLog&) = delete;

  // These options serve from now on.
  void set_options(const Options& options);

 private:
  struct Slow {
    uint64_t from_ns = 0;        // a request that takes longer is slow; 0: none is
    uint64_t count = 0;          // since the last line
    uint64_t next_line_ns = 0;   // the earliest time of the next line without a stack
    uint64_t next_stack_ns = 0;  // the earliest time of the next line with a stack
    telemetry::Event last;       // the end of the last request that is counted
    telemetry::Stages stages;    // where the time of that request went
  };

  void on_end(const telemetry::Event& end, uint64_t number);
  // Logs the failures and slow requests that are counted and due.
  void log_due(uint64_t now_ns);
  // Null: the request was not slow.
  Slow* find_slow(const telemetry::Event& end);
  void note_slow(Slow& slow, const telemetry::Event& end, const telemetry::Stages& stages);
  void log_slow(Slow& slow);
  std::vector<LogField> name_request(const telemetry::Event& end) const;
  void log_access(const telemetry::Event& end, const telemetry::Stages& stages) const;
  void log_failures(const telemetry::FailureSummary::Line& line) const;

  telemetry::Recorder& recorder_;
  telemetry::FailureSummary failures_;
  uint64_t access_every_ = 0;  // one request of so many has a line; 0: none has
  uint64_t until_access_ = 0;  // so many requests come before the next line
  std::vector<Slow> slow_;     // by method
  UvHandle<uv_timer_t> tick_;
};

}  // namespace ringmaster::master
