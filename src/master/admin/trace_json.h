// Requests in Chrome's trace format, for Perfetto: https://ui.perfetto.dev.
//
//   process "workers":   a row for each worker: its runs, and when it came up or ended
//   process "upstreams": the fetches of each upstream, which overlap
//   process "requests":  requests from admission to their end, their waits for workers, and how
//                        many wait. A flow leads from a request's admission through its runs to
//                        its end
//
// Refused requests are left out: they took no time in any of these processes.
//
// Besides: "otherData":{"requests":"recent","since_us":…,"now_us":…,"workers":2}
//   since_us: all requests with an event after that time are there, with all their events. Of
//   earlier requests some are missing. workers: of the serving configuration. A trace of kept
//   requests has {"requests":"kept"} instead.
// Source: "Trace Event Format", Google; times are microseconds by the master's clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/telemetry/recorder.h"

namespace ringmaster::master {

// The newest kRecentMax requests; those under way at `now_ns` are incomplete.
std::string recent_trace_json(const telemetry::Recorder& recorder, uint64_t now_ns, size_t workers);
// The requests that are kept because they were slow or failed: they may be hours apart.
std::string kept_trace_json(const telemetry::Recorder& recorder, uint64_t now_ns);

}  // namespace ringmaster::master
