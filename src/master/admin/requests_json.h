// Single requests as JSON, for the timeline of the status page: the recent ones, and those that are
// kept because they were slow or failed.
//
//   {"now_ns":…,"next":4711,
//    "classes_ms":[0,50,…],
//    "requests":[{"request":12,"method":"score","client":"token web","class":3,
//                 "events":[{"kind":"published","at_us":…,"took_us":…,"where":"worker 0",
//                            "code":-32012,"reason":"deadline","step":1},…]},…]}
//   class: kept requests only: an index in classes_ms. A failed request has the index behind the
//   last one. at_us: microseconds by the master's clock, as now_ns. took_us: the predicted run time
//   in "refused" and "admitted", else the time that has passed: see base/telemetry/event.h.
//   A fetch that has not failed may have "result":"hit" (see shared_fetches.h), not "reason".
//   Members that are 0 or empty are left out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/telemetry/recorder.h"

namespace ringmaster::master {

// The requests that had an event from number `since` on; at most the newest kRecentMax. `next` in
// the answer is the `since` of the next call.
inline constexpr size_t kRecentMax = 2000;
std::string recent_requests_json(const telemetry::Recorder& recorder, uint64_t since,
                                 uint64_t now_ns);
std::string kept_requests_json(const telemetry::Recorder& recorder, uint64_t now_ns);

// The member for the event's reason: "result" for a fetch that has not failed, else "reason".
std::string_view reason_key(const telemetry::Event& event);
// "worker 3", or the upstream's name; empty: the event has no place.
std::string where_text(const telemetry::Event& event, const telemetry::Names& names);

}  // namespace ringmaster::master
