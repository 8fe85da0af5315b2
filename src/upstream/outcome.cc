#include "upstream/outcome.h"

namespace ringmaster::upstream {

bool is_fault(std::string_view reason) {
  return reason == "connect" || reason == "resolve" || reason == "timeout" ||
         reason == "truncated" || reason == "protocol" || reason.starts_with("http_5");
}

Outcome outcome_of(std::string_view reason, uint64_t took_ns, uint64_t all_ns) {
  const bool is_own = reason == "no_memory" || reason == "too_large";
  // An attempt that had a connection for less than half of the fetch's time left the address too
  // little: it was a retry or a hedge that began late, or it waited for the connection.
  const bool had_no_time = took_ns == 0 || (reason == "timeout" && 2 * took_ns < all_ns);
  if (had_no_time || is_own) return Outcome::kCutOff;
  return is_fault(reason) ? Outcome::kFailure : Outcome::kAnswer;
}

}  // namespace ringmaster::upstream
