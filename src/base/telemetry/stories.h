// Stories: the events of the ring, grouped by request.
#pragma once

#include <vector>

#include "base/telemetry/event_ring.h"

namespace ringmaster::telemetry {

// The events of one request, oldest first. The first events may be lost, and the last event of a
// request in flight is still to come.
using Story = std::vector<Event>;

// The `requests_max` requests with the newest events, in the order of their last events. Only
// events from number `since` on count. Requests that were refused without a number are left out.
std::vector<Story> recent_stories(const EventRing& ring, uint64_t since, size_t requests_max);

}  // namespace ringmaster::telemetry
