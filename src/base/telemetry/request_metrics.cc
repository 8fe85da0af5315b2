#include "base/telemetry/request_metrics.h"

#include "base/telemetry/names.h"
#include "base/telemetry/stages.h"

namespace ringmaster::telemetry {
namespace {

// Whether rpc/errors.h may define the code. A handler may answer with such a code, too.
bool is_own_code(int32_t code) {
  return code >= -32899 && code <= -32000;
}

}  // namespace

void RequestMetrics::expect(NameId method, std::span<const NameId> upstreams) {
  Method& its = this->method(method);
  its.is_expected = true;
  for (const NameId upstream : upstreams)
    its.fetches[upstream];
}

void RequestMetrics::count(const Event& event, const EventRing& ring) {
  switch (event.kind) {
    case EventKind::kRefused:
      method(event.method).offered_ns += event.took_ns;
      if (event.code == kOverloaded) ++client(event.client).refused;
      return count_error(event, ring);
    case EventKind::kAdmitted:
      ++method(event.method).admitted;
      method(event.method).offered_ns += event.took_ns;
      return;
    case EventKind::kFetchEnded: {
      Fetches& fetches = method(event.method).fetches[event.where];
      fetches.took.record(event.took_ns);
      if (event.code != 0) ++fetches.failed[event.reason];
      return;
    }
    case EventKind::kPublished:
      return method(event.method).queue.record(event.took_ns);
    case EventKind::kRunEnded: {
      method(event.method).run.record(event.took_ns);
      Worker& its = worker(event.where);
      ++its.jobs;
      its.busy_ns += event.took_ns;
      its.last_progress_ns = event.at_ns;
      return;
    }
    case EventKind::kLost:
      ++method(event.method).lost;
      return;
    case EventKind::kAnswered:
      if (event.code != 0) return count_error(event, ring);
      ++method(event.method).ok;
      ++client(event.client).ok;
      return method(event.method).total.record(event.took_ns);
    case EventKind::kCancelled:
      if (event.code != 0) return count_error(event, ring);
      ++method(event.method).abandoned;
      return;
    case EventKind::kWorkerUp:
      worker(event.where).last_progress_ns = event.at_ns;
      return;
    case EventKind::kWorkerEnded:
      ++worker(event.where).ends;
      ++worker_ends_[event.reason];
      return;
    case EventKind::kExpired:  // counted with the answer, which may still be a result
    case EventKind::kFetchBegun:
    case EventKind::kQueued:
      return;
  }
}

void RequestMetrics::count_error(const Event& event, const EventRing& ring) {
  Method& its = method(event.method);
  const bool is_other = !is_own_code(event.code) && its.errors.size() >= kErrorsMax &&
                        !its.errors.contains({event.code, event.reason});
  ++its.errors[is_other ? std::pair<int32_t, NameId>{0, Names::kOther}
                        : std::pair<int32_t, NameId>{event.code, event.reason}];
  if (const std::optional<Stage> stage = missed_in(event, ring))
    ++its.deadline_misses[static_cast<size_t>(*stage)];
}

}  // namespace ringmaster::telemetry
