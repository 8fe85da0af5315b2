// The traceparent of W3C Trace Context: names a request's trace and its parent span.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringmaster {

inline constexpr size_t kTraceparentBytes = 55;

// Whether `text` is a traceparent of version 00, or of a later version without further fields:
// 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01. Any other text is to be ignored:
// https://www.w3.org/TR/trace-context/#traceparent-header
bool is_traceparent(std::string_view text);

// The fields of a traceparent.
struct TraceContext {
  std::array<uint64_t, 2> trace{};  // 0: none
  uint64_t parent = 0;              // the span that has caused the request
  bool is_sampled = false;          // the parent is recorded

  bool is_known() const { return (trace[0] | trace[1]) != 0; }
};

// The result is not is_known() if the text is no traceparent.
TraceContext parse_traceparent(std::string_view text);
// In hexadecimal digits, as in a traceparent.
std::string trace_id(const TraceContext& context);
std::string span_id(uint64_t span);
// For a request that the span `parent` causes.
std::string make_traceparent(const TraceContext& context, uint64_t parent);

}  // namespace ringmaster
