// WorkerExit: how a worker ended, and how that is logged.
//
// Processes: the master only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"

namespace ringmaster::master {

struct WorkerExit {
  uint32_t worker = 0;
  uint32_t generation = 0;
  int32_t pid = 0;
  std::string how = {};    // "SIGSEGV", "exit 3"
  std::string cause = {};  // "oom"; mostly empty
  // Of a crash, as lines: why, then its frames. See worker/crash/crash_report.h.
  std::string report = {};
};

// A job that the worker had in hand.
struct LostJob {
  std::vector<LogField> job;  // its name: see append_job_fields()
  uint64_t attempt = 0;
};

// Logs event=worker_died, then event=backtrace if there is a backtrace.
void log_death(const WorkerExit& death, std::span<const LostJob> lost);

}  // namespace ringmaster::master
