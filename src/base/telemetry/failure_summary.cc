#include "base/telemetry/failure_summary.h"

#include <algorithm>
#include <utility>

namespace ringmaster::telemetry {
namespace {

uint64_t key_of(const Event& end, NameId upstream, std::optional<Stage> missed_in) {
  const uint64_t stage = missed_in ? 1 + static_cast<uint64_t>(*missed_in) : 0;
  return uint64_t{end.method} | uint64_t{end.reason} << 16 | uint64_t{upstream} << 32 |
         static_cast<uint64_t>(end.kind) << 48 | stage << 56;
}

}  // namespace

FailureSummary::Ended& FailureSummary::ended(NameId method) {
  if (method >= ended_.size()) ended_.resize(size_t{method} + 1);
  return ended_[method];
}

std::optional<FailureSummary::Line> FailureSummary::count(const Event& end, NameId upstream,
                                                          std::optional<Stage> missed_in) {
  Ended& its = ended(end.method);
  if (end.at_ns >= its.second_ns + kGapNs) {
    its.second_ns = end.at_ns;
    its.before_second = its.count;
  }
  ++its.count;
  if (end.code == 0 && end.kind != EventKind::kCancelled) return std::nullopt;
  Entry& entry = entries_[key_of(end, upstream, missed_in)];
  const bool is_first = entry.line.count++ == 0;
  if (is_first) {
    entry.line.first = end;
    entry.line.upstream = upstream;
    entry.line.missed_in = missed_in;
    ++waiting_;
  }
  if (end.client == entry.line.first.client) ++entry.line.client_count;
  if (end.at_ns < entry.next_ns) return std::nullopt;
  if (is_first) entry.ended_before = std::max(entry.ended_before, its.before_second);
  return take(entry, end.at_ns);
}

FailureSummary::Line FailureSummary::take(Entry& entry, uint64_t now_ns) {
  const uint64_t ended_now = ended(entry.line.first.method).count;
  entry.line.of = ended_now - std::exchange(entry.ended_before, ended_now);
  entry.next_ns = now_ns + kGapNs;
  --waiting_;
  return std::exchange(entry.line, {});
}

std::vector<FailureSummary::Line> FailureSummary::take_due(uint64_t now_ns) {
  std::vector<Line> lines;
  if (waiting_ == 0) return lines;
  for (auto& [key, entry] : entries_) {
    if (entry.line.count > 0 && now_ns >= entry.next_ns) lines.push_back(take(entry, now_ns));
  }
  return lines;
}

}  // namespace ringmaster::telemetry
