#include "base/telemetry/span_ids.h"

#include <random>

namespace ringmaster::telemetry {
namespace {

// Different numbers give different ids, which look random: the step of SplitMix64.
// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (2014).
uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

uint64_t process_key() {
  static const uint64_t key = [] {
    std::random_device random;
    return uint64_t{random()} << 32 | random();
  }();
  return key;
}

enum class Kind : uint64_t { kRequest, kFetch, kStage, kTraceHigh, kTraceLow };

uint64_t id(uint64_t request, Kind kind, size_t part) {
  const uint64_t found =
      mix(mix(process_key() + request) + (static_cast<uint64_t>(kind) << 32) + part);
  return found == 0 ? 1 : found;  // no id is 0
}

}  // namespace

uint64_t request_span(uint64_t request) {
  return id(request, Kind::kRequest, 0);
}

uint64_t fetch_span(uint64_t request, size_t step) {
  return id(request, Kind::kFetch, step);
}

uint64_t stage_span(uint64_t request, size_t event) {
  return id(request, Kind::kStage, event);
}

TraceContext new_trace(uint64_t request) {
  return {{id(request, Kind::kTraceHigh, 0), id(request, Kind::kTraceLow, 0)}, 0, false};
}

}  // namespace ringmaster::telemetry
