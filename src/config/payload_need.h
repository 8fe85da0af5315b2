// How much payload memory one request can need, and how a fetched body's room grows. `ringmaster
// check` refuses a configuration whose payload memory could not hold a single request. Otherwise
// the server would refuse that request as retryable, however often the client sends it.
#pragma once

#include <cstdint>

#include "config/options.h"

namespace ringmaster::master {

// A longer name of a client counts as missing in templates.
inline constexpr uint64_t kClientNameBytesMax = 1024;

// The most payload memory that one request of the method has at one time, in bytes of whole blocks:
// the longest params, and the output of each step but the last run step. While a body of unknown
// length moves to a larger room, its former room counts, too.
uint64_t payload_bytes_max(const Options& options, const Method& method);

// The next room for a body of unknown length that has filled `room` bytes: twice as much; but if
// that is more than half of the upstream's body_bytes, all of body_bytes.
uint64_t next_body_room(uint64_t room, uint64_t body_bytes);

}  // namespace ringmaster::master
