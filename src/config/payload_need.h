// How much payload memory one request can need, and by which rule a fetched body takes it.
// `ringmaster check` refuses a configuration whose payload memory could not hold a single request:
// such a request would be told to come back later, for ever.
#pragma once

#include <cstdint>

#include "config/options.h"

namespace ringmaster::master {

// The most that one request of the method takes at one time, in blocks: the longest params, what
// each step but the last run step made, and while a body of unknown length comes, the room that it
// has outgrown.
uint64_t payload_bytes_max(const Options& options, const Method& method);

// The room for a body of unknown length that has outgrown `room` bytes: twice as much, but all of
// the upstream's body_bytes where that would be more than half of it.
uint64_t next_body_room(uint64_t room, uint64_t body_bytes);

}  // namespace ringmaster::master
