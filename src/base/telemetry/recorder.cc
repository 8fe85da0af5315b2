#include "base/telemetry/recorder.h"

namespace ringmaster::telemetry {

uint64_t Recorder::append(const Event& event, const TraceContext& trace) {
  const uint64_t number = ring_.append(event);
  metrics_.count(event, ring_);
  const bool is_end = event.kind == EventKind::kAnswered || event.kind == EventKind::kRefused ||
                      event.kind == EventKind::kCancelled;
  if (is_end) on_end(event, number, trace);
  return number;
}

void Recorder::on_end(const Event& event, uint64_t number, const TraceContext& trace) {
  kept_.consider(event, number, ring_);
  for (const OnEnd& view : views_)
    view(event, number, trace);
}

}  // namespace ringmaster::telemetry
