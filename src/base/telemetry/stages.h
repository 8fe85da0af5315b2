// Stages: where the time of one request went.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/telemetry/event_ring.h"

namespace ringmaster::telemetry {

inline constexpr int32_t kUpstreamFailed = -32015;  // rpc/errors.h is on a higher floor

// The rest of a request's time, outside these stages, was spent on the way between the processes.
struct Stages {
  uint64_t fetch_ns = 0;
  uint64_t queue_ns = 0;       // until it was published to the workers
  uint64_t run_ns = 0;         // also of attempts whose workers died
  uint64_t lost = 0;           // such attempts
  uint16_t worker = kNowhere;  // the last that has run it; kNowhere: not known
  NameId failed_upstream = 0;  // whose fetch ended last, and is why the request failed; 0: none
};

// The stages of the request whose last event has the number `last`. If the request ended in the
// middle of a stage, for example at its deadline, that stage counts until the request's end. Events
// that the ring has lost are left out.
inline Stages stages_of(const EventRing& ring, uint64_t last) {
  Stages stages;
  if (!ring.has(last)) return stages;
  const Event& end = ring.at(last);
  bool was_left = false;  // an event was met that ends the stage before it
  uint64_t fetched_from_ns = UINT64_MAX;
  for (uint64_t number = end.previous; number != 0 && ring.has(number);
       number = ring.at(number).previous) {
    const Event& event = ring.at(number);
    const uint64_t since_ns = end.at_ns - std::min(event.at_ns, end.at_ns);
    switch (event.kind) {
      case EventKind::kFetchEnded:
        // Fetches may overlap. The events are read from the last on, so what was added before began
        // at `fetched_from_ns` or later.
        stages.fetch_ns += std::min(fetched_from_ns, event.at_ns) -
                           std::min(fetched_from_ns, event.at_ns - event.took_ns);
        fetched_from_ns = std::min(fetched_from_ns, event.at_ns - event.took_ns);
        if (!was_left && (event.code != 0 || end.code == kUpstreamFailed)) {
          stages.failed_upstream = event.where;
        }
        break;
      case EventKind::kRunEnded:
      case EventKind::kLost:
        stages.run_ns += event.took_ns;
        stages.lost += event.kind == EventKind::kLost;
        if (stages.worker == kNowhere) stages.worker = event.where;
        break;
      case EventKind::kPublished:
        stages.queue_ns += event.took_ns;
        if (!was_left) stages.run_ns += since_ns;
        break;
      case EventKind::kQueued:
        if (!was_left) stages.queue_ns += since_ns;
        break;
      default:
        continue;  // of no stage
    }
    was_left = true;
  }
  return stages;
}

}  // namespace ringmaster::telemetry
