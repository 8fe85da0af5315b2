#include "master/lifecycle/request_log.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"

namespace ringmaster::master {

using telemetry::Event;
using telemetry::EventKind;
using telemetry::FailureSummary;
using telemetry::Stages;

namespace {

constexpr uint64_t kTickMs = 100;
constexpr uint64_t kGapNs = kNsPerS;  // between two lines about slow requests of a method

LogField ms_field(std::string_view key, uint64_t ns) {
  LogField field(key, fmt::format("{:.2f}", static_cast<double>(ns) / 1e6));
  field.is_number = true;
  return field;
}

void append_stages(std::vector<LogField>& fields, const Event& end, const Stages& stages) {
  // A refused request took no time: its took_ns is its predicted run time.
  fields.push_back(ms_field("took_ms", end.kind == EventKind::kRefused ? 0 : end.took_ns));
  fields.push_back(ms_field("fetch_ms", stages.fetch_ns));
  fields.push_back(ms_field("queue_ms", stages.queue_ns));
  fields.push_back(ms_field("run_ms", stages.run_ns));
}

// Joins lines: "inner < outer".
std::string in_one_line(std::string_view lines) {
  std::string joined;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view line = lines.substr(0, end);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (!line.empty()) joined += (joined.empty() ? "" : " < ") + std::string(line);
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return joined;
}

// `stack`: the frames of C and C++, if any, then, behind an empty line, those of the handler's own
// language.
void append_stack(std::vector<LogField>& fields, std::string_view stack) {
  const size_t end = stack.starts_with('\n') ? 0 : std::min(stack.find("\n\n"), stack.size());
  const std::string own = in_one_line(stack.substr(end));
  if (!own.empty()) fields.emplace_back("handler_stack", own);
  if (end > 0) fields.emplace_back("stack", in_one_line(stack.substr(0, end)));
}

}  // namespace

RequestLog::RequestLog(uv_loop_t* loop, telemetry::Recorder& recorder)
    : recorder_(recorder), tick_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {
  recorder_.add_view(
      [this](const Event& end, uint64_t number, const TraceContext&) { on_end(end, number); });
  uv_timer_start(
      tick_.get(),
      [](uv_timer_t* timer) { static_cast<RequestLog*>(timer->data)->log_due(now_ns()); }, kTickMs,
      kTickMs);
}

RequestLog::~RequestLog() {
  log_due(~uint64_t{0});
}

void RequestLog::log_due(uint64_t now_ns) {
  for (const FailureSummary::Line& line : failures_.take_due(now_ns))
    log_failures(line);
  for (Slow& slow : slow_) {
    if (slow.count > 0 && now_ns >= slow.next_line_ns) log_slow(slow);
  }
}

void RequestLog::set_options(const Options& options) {
  access_every_ = options.access_log_every;
  until_access_ = 0;
  log_due(~uint64_t{0});
  slow_.clear();
  for (const Method& method : options.methods) {
    const telemetry::NameId id = recorder_.name(method.name);
    if (id >= slow_.size()) slow_.resize(size_t{id} + 1);
    slow_[id].from_ns = method.slow_ms * kNsPerMs;
  }
}

void RequestLog::on_end(const Event& end, uint64_t number) {
  const bool is_logged = access_every_ > 0 && until_access_-- == 0;
  if (is_logged) until_access_ = access_every_ - 1;
  const bool is_refused = end.kind == EventKind::kRefused;
  Slow* const slow = find_slow(end);
  const bool are_stages_needed = is_logged || slow != nullptr || (end.code != 0 && !is_refused);
  const Stages stages =
      are_stages_needed ? telemetry::stages_of(recorder_.ring(), number) : Stages{};
  if (is_logged) log_access(end, stages);
  if (slow != nullptr) note_slow(*slow, end, stages);
  const auto missed_in = telemetry::missed_in(end, recorder_.ring());
  if (const auto line = failures_.count(end, stages.failed_upstream, missed_in))
    log_failures(*line);
}

RequestLog::Slow* RequestLog::find_slow(const Event& end) {
  if (end.method >= slow_.size() || end.kind == EventKind::kRefused) return nullptr;
  Slow& slow = slow_[end.method];
  return slow.from_ns > 0 && end.took_ns > slow.from_ns ? &slow : nullptr;
}

void RequestLog::note_slow(Slow& slow, const Event& end, const Stages& stages) {
  ++slow.count;
  slow.last = end;
  slow.stages = stages;
  const bool has_stack = recorder_.stack_of(end.request) != nullptr;
  if (end.at_ns >= (has_stack ? slow.next_stack_ns : slow.next_line_ns)) log_slow(slow);
}

void RequestLog::log_slow(Slow& slow) {
  const Event& end = slow.last;
  const Stages& stages = slow.stages;
  const std::string* const stack = recorder_.stack_of(end.request);
  slow.next_line_ns = end.at_ns + kGapNs;
  if (stack != nullptr) slow.next_stack_ns = end.at_ns + kGapNs;
  std::vector<LogField> fields = name_request(end);
  append_stages(fields, end, stages);
  if (stages.worker != telemetry::kNowhere) fields.emplace_back("worker", stages.worker);
  fields.emplace_back("count", std::exchange(slow.count, 0));
  if (stack != nullptr) append_stack(fields, *stack);
  log(Level::kWarning, "slow_request", fields);
}

std::vector<LogField> RequestLog::name_request(const Event& end) const {
  const telemetry::Names& names = recorder_.names();
  std::vector<LogField> fields = {{"method", names.name_of(end.method)},
                                  {"client", recorder_.clients().name_of(end.client)},
                                  {"request", end.request},
                                  {"code", end.code}};
  if (end.reason != 0) fields.emplace_back("reason", names.name_of(end.reason));
  return fields;
}

void RequestLog::log_access(const Event& end, const Stages& stages) const {
  std::vector<LogField> fields = name_request(end);
  append_stages(fields, end, stages);
  log(Level::kInfo, "request", fields);
}

void RequestLog::log_failures(const FailureSummary::Line& line) const {
  const telemetry::Names& names = recorder_.names();
  const Event& first = line.first;
  const bool is_cancelled = first.kind == EventKind::kCancelled;
  std::vector<LogField> fields = {{"method", names.name_of(first.method)}};
  fields.emplace_back("reason", !is_cancelled     ? std::string_view(names.name_of(first.reason))
                                : first.code == 0 ? "client_gone"
                                                  : "cancelled");
  if (line.upstream != 0) fields.emplace_back("upstream", names.name_of(line.upstream));
  if (line.missed_in)
    fields.emplace_back("stage", telemetry::kStageNames[static_cast<size_t>(*line.missed_in)]);
  fields.emplace_back("code", first.code);
  fields.emplace_back("count", line.count);
  fields.emplace_back("of", line.of);
  if (first.request != 0) fields.emplace_back("request", first.request);
  fields.emplace_back("client", recorder_.clients().name_of(first.client));
  fields.emplace_back("client_count", line.client_count);
  if (is_cancelled) return log(Level::kInfo, "requests_cancelled", fields);
  const bool is_refused = first.kind == EventKind::kRefused;
  if (is_refused) return log(Level::kWarning, "requests_rejected", fields);
  log(Level::kWarning, "requests_failed", fields);
}

}  // namespace ringmaster::master
