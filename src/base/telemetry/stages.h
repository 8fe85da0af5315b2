// Stages: where the time of one request went.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/telemetry/event_ring.h"

namespace ringmaster::telemetry {

// A small rest of a request's time is in none of these: the time between the processes.
struct Stages {
  uint64_t fetch_ns = 0;
  uint64_t queue_ns = 0;       // waiting to be published to the workers
  uint64_t run_ns = 0;         // also of attempts whose workers died
  uint64_t lost = 0;           // attempts whose workers died
  uint16_t worker = kNowhere;  // the last worker that ran the request; kNowhere: not known
  NameId failed_upstream = 0;  // the upstream whose fetch made the request fail; 0: none
};

// The stage in which the request that ended with `end` missed its deadline. Empty: the request did
// not fail, or failed for another reason.
inline std::optional<Stage> missed_in(const Event& end, const EventRing& ring) {
  if (end.kind != EventKind::kAnswered || end.code == 0) return std::nullopt;
  for (uint64_t number = end.previous; number != 0 && ring.has(number);
       number = ring.at(number).previous) {
    const Event& event = ring.at(number);
    if (event.kind == EventKind::kExpired) return static_cast<Stage>(event.where);
  }
  if (end.code != kDeadlineExceeded) return std::nullopt;
  // A worker was the first to find that the deadline was over.
  const bool was_run = ring.has(end.previous) && ring.at(end.previous).kind == EventKind::kRunEnded;
  return was_run ? Stage::kRun : Stage::kQueue;
}

// The stages of the request whose last event has the number `last`. A stage that was not over when
// the request ended, at its deadline for example, counts up to that end. Events that the ring has
// lost are left out.
inline Stages stages_of(const EventRing& ring, uint64_t last) {
  Stages stages;
  if (!ring.has(last)) return stages;
  const Event& end = ring.at(last);
  bool was_left = false;  // a later event, read before, shows that this stage has ended
  uint64_t fetched_from_ns = UINT64_MAX;
  for (uint64_t number = end.previous; number != 0 && ring.has(number);
       number = ring.at(number).previous) {
    const Event& event = ring.at(number);
    const uint64_t since_ns = end.at_ns - std::min(event.at_ns, end.at_ns);
    switch (event.kind) {
      case EventKind::kFetchEnded:
        // Fetches may overlap. The events are read backwards, so the fetches added so far began at
        // `fetched_from_ns` or later.
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
        continue;  // the event belongs to no stage
    }
    was_left = true;
  }
  return stages;
}

}  // namespace ringmaster::telemetry
