// The traceparent of W3C Trace Context: names the trace that a request belongs to, and its parent.
#pragma once

#include <cstddef>
#include <string_view>

namespace ringmaster {

inline constexpr size_t kTraceparentBytes = 55;

// Whether it is one of version 00, or of a later version with no more fields:
// 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01. Any other is to be ignored:
// https://www.w3.org/TR/trace-context/#traceparent-header
bool is_traceparent(std::string_view text);

}  // namespace ringmaster
