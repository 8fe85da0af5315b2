// The ids of traces and spans: functions of the request's number, so that nobody has to keep them.
// Those of another process differ.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/traceparent.h"

namespace ringmaster::telemetry {

// Of the whole request.
uint64_t request_span(uint64_t request);
// Of the fetch of this step.
uint64_t fetch_span(uint64_t request, size_t step);
// Of the stage that this event of the request has ended.
uint64_t stage_span(uint64_t request, size_t event);
// A new trace, for a request that came with none.
TraceContext new_trace(uint64_t request);

}  // namespace ringmaster::telemetry
