#include "base/telemetry/recorder.h"

namespace ringmaster::telemetry {

// A flood of refusals would push the stories of all other requests out of the ring.
bool Recorder::may_stay(const Event& end) {
  if (end.previous != 0) return true;
  if (end.at_ns < next_refusal_ns_) return false;
  next_refusal_ns_ = end.at_ns + kRefusalGapNs;
  return true;
}

void Recorder::on_event(uint64_t number, const TraceContext& trace) {
  const Event& event = ring_.at(number);
  recent_.keep(metrics_, event.at_ns);
  metrics_.count(event, ring_);
  const bool is_end = event.kind == EventKind::kAnswered || event.kind == EventKind::kRefused ||
                      event.kind == EventKind::kCancelled;
  if (is_end) on_end(event, number, trace);
  if (is_end && !may_stay(event)) ring_.take_back();
}

void Recorder::on_end(const Event& event, uint64_t number, const TraceContext& trace) {
  kept_.consider(event, number, ring_, ids_.id_of(event.request));
  for (const OnEnd& view : views_)
    view(event, number, trace);
}

}  // namespace ringmaster::telemetry
