// Requests as traces of OpenTelemetry, for a collector: OTLP in JSON.
//
// A request is a span of the kind server; its fetches (client), its waits for a worker and its runs
// (internal) are its children. With a traceparent the request's span is a child of the client's.
// Pure.
// Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding; ids are hexadecimal,
//         64-bit numbers are strings, enums are numbers.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/telemetry/recorder.h"
#include "base/telemetry/stories.h"

namespace ringmaster::master {

struct EndedRequest {
  telemetry::Story story;  // not empty; its last event is the request's end
  uint64_t number = 0;     // among all that have ended
  TraceContext trace;      // which came with the request
};

// How many spans the request has.
size_t spans_of(const EndedRequest& request);

// The body of POST /v1/traces. `unix_offset_ns` plus an event's time is the time since 1970.
std::string otlp_json(std::span<const EndedRequest> requests, const telemetry::Recorder& recorder,
                      const std::string& service, uint64_t unix_offset_ns);

}  // namespace ringmaster::master
