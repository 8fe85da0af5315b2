// Stories: the events of single requests, each request's together.
#pragma once

#include <vector>

#include "base/telemetry/event_ring.h"

namespace ringmaster::telemetry {

// The events of one request, oldest first. The first ones may be lost, and a request that is under
// way has no last one.
using Story = std::vector<Event>;

// The newest `requests_max` requests of which the ring has events from number `since` on, in the
// order of these events. Requests that were refused without a number are not among them.
std::vector<Story> recent_stories(const EventRing& ring, uint64_t since, size_t requests_max);

}  // namespace ringmaster::telemetry
