#include "base/traceparent.h"

#include <charconv>
#include <fmt/format.h>

namespace ringmaster {
namespace {

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

uint64_t number(std::string_view hex) {
  uint64_t value = 0;
  std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
  return value;
}

}  // namespace

bool is_traceparent(std::string_view text) {
  if (text.size() != kTraceparentBytes || text[2] != '-' || text[35] != '-' || text[52] != '-') {
    return false;
  }
  const std::string_view version = text.substr(0, 2), trace = text.substr(3, 32),
                         parent = text.substr(36, 16), flags = text.substr(53);
  return is_hex(version) && version != "ff" && is_hex(trace) && !is_zero(trace) && is_hex(parent) &&
         !is_zero(parent) && is_hex(flags);
}

TraceContext parse_traceparent(std::string_view text) {
  if (!is_traceparent(text)) return {};
  return {{number(text.substr(3, 16)), number(text.substr(19, 16))},
          number(text.substr(36, 16)),
          (number(text.substr(53)) & 1) != 0};
}

std::string trace_id(const TraceContext& context) {
  return fmt::format("{:016x}{:016x}", context.trace[0], context.trace[1]);
}

std::string span_id(uint64_t span) {
  return fmt::format("{:016x}", span);
}

std::string make_traceparent(const TraceContext& context, uint64_t parent) {
  return fmt::format("00-{}-{}-0{:d}", trace_id(context), span_id(parent), context.is_sampled);
}

}  // namespace ringmaster
