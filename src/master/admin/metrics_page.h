// The metrics of the status port, in Prometheus' text format.
//
// Source: https://prometheus.io/docs/instrumenting/exposition_formats/. docs/metrics.md lists them
//         for people; a test compares the two.
// Labels: methods, upstreams, error codes, reasons and framings: all from the configuration or from
//         this program. No client, id or param is a label.
#pragma once

#include <string>

#include "base/telemetry/recorder.h"
#include "master/admin/server_state.h"

namespace ringmaster::master {

// `recorder`: its counts since the master's start.
std::string metrics_text(const ServerState& state, const telemetry::Recorder& recorder);

}  // namespace ringmaster::master
