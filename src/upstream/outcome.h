// outcome_of(): what the end of an attempt says about the address that it was sent to.
//
// Pure: no I/O, no clock.
#pragma once

#include <cstdint>
#include <string_view>

namespace ringmaster::upstream {

enum class Outcome : uint8_t {
  kAnswer,   // the address has answered, with a status below 500
  kFailure,  // the address has failed
  kCutOff,   // nothing: the attempt ended before it could be answered
};

// Whether a fetch that failed for this reason is the upstream's fault, and not the request's.
bool is_fault(std::string_view reason);

// `reason`: of the attempt's failure; empty: there was none. `took_ns`: the time with a connection.
// `all_ns`: since the fetch began, with its earlier attempts and the wait for the connection.
Outcome outcome_of(std::string_view reason, uint64_t took_ns, uint64_t all_ns);

}  // namespace ringmaster::upstream
