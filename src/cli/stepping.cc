#include "cli/stepping.h"

#include "config/key.h"

namespace ringmaster::cli {
namespace {

// The longest timeout that a method may have.
constexpr uint64_t kTimeoutMs = config::kHourMs;

}  // namespace

void allow_stepping(master::Options& options) {
  options.worker_count = 1;
  options.worker_max_jobs = options.worker_max_rss_bytes = 0;
  options.start_timeout_ms = kTimeoutMs;
  options.confinement = {ipc::Sandbox::kOff};
  for (master::Method& method : options.methods) {
    method.timeout_ms = kTimeoutMs;
    method.attempts = 1;  // or a crash would be debugged twice
  }
}

}  // namespace ringmaster::cli
