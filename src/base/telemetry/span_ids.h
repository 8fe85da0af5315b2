// The ids of traces and spans: functions of the request's number, so that no id has to be stored.
// Each process gives other ids to the same number.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/traceparent.h"

namespace ringmaster::telemetry {

// The span of the whole request.
uint64_t request_span(uint64_t request);
// The span of this step's fetch.
uint64_t fetch_span(uint64_t request, size_t step);
// The span of the stage that this event of the request has ended.
uint64_t stage_span(uint64_t request, size_t event);
// A new trace, for a request that came with none.
TraceContext new_trace(uint64_t request);

}  // namespace ringmaster::telemetry
