#include "master/lifecycle/status_line.h"

#include <algorithm>
#include <fmt/format.h>

namespace ringmaster::master {

std::string status_line(const Rollout& rollout, const Deployment* serving,
                        const ReloadRecord& reloads, bool is_stopping) {
  if (is_stopping) return fmt::format("stopping: {} requests to finish", rollout.in_flight());
  if (serving == nullptr) {
    return rollout.loading_pid() != 0 ? "starting: loading handlers" : "starting";
  }
  const Supervisor& supervisor = serving->supervisor();
  const char* state = supervisor.is_crash_looping()                           ? "crash-looping"
                      : supervisor.workers_up() < supervisor.workers_wanted() ? "degraded"
                      : supervisor.is_stalled()                               ? "stalled"
                                                                              : "serving";
  std::string text = fmt::format("{}: {} of {} workers are up", state, supervisor.workers_up(),
                                 supervisor.workers_wanted());
  if (supervisor.is_stalled()) text += "; there are jobs, and no worker is at work";
  if (!supervisor.load_failure().empty()) {
    text += "; the handlers could not be loaded again: " + supervisor.load_failure();
  }
  if (!supervisor.sandbox_lacks().empty()) {
    text += "; the sandbox lacks " + supervisor.sandbox_lacks();
  }
  if (!reloads.failure().empty()) text += "; the last reload failed: " + reloads.failure();
  // A handler's message may have many lines, and the service manager takes each for an assignment.
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' ');
  return text;
}

}  // namespace ringmaster::master
