#include "master/pipeline/worker_exit.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace ringmaster::master {
namespace {

// "misbehave+0x2f (probe.so+0x1c2f) < run+0x11 (...) < ...": on one line, innermost first.
std::string joined(std::string_view lines) {
  std::string text;
  for (const char c : lines)
    text += c == '\n' ? " < " : std::string(1, c);
  return text;
}

}  // namespace

void log_death(const WorkerExit& death, std::span<const LostJob> lost) {
  const LogField who[] = {{"worker", death.worker}, {"gen", death.generation}, {"pid", death.pid}};
  std::vector<LogField> died(std::begin(who), std::end(who));
  died.emplace_back("how", death.how);
  if (!death.cause.empty()) died.emplace_back("cause", death.cause);
  if (!lost.empty()) {
    died.insert(died.end(), lost.front().job.begin(), lost.front().job.end());
    died.emplace_back("attempt", lost.front().attempt);
  }
  log(Level::kWarning, "worker_died", died);
  if (death.report.empty()) return;
  const std::string_view report = death.report;
  const size_t end = std::min(report.find('\n'), report.size());
  const size_t frames_end = std::min(report.find("\n\n"), report.size());
  const size_t frames_begin = std::min(end + 1, frames_end);
  std::vector<LogField> backtrace(std::begin(who), std::end(who));
  backtrace.emplace_back("signal", death.how);
  backtrace.emplace_back("why", report.substr(0, end));
  backtrace.emplace_back("frames", joined(report.substr(frames_begin, frames_end - frames_begin)));
  if (frames_end < report.size()) {
    backtrace.emplace_back("stack", joined(report.substr(frames_end + 2)));
  }
  log(Level::kWarning, "backtrace", backtrace);
}

}  // namespace ringmaster::master
