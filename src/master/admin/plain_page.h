// The status page as text, for curl: the same facts in aligned columns.
#pragma once

#include <string>

#include "base/telemetry/recorder.h"
#include "master/admin/server_state.h"

namespace ringmaster::master {

// `recorder`: counts and percentiles are since the master's start.
std::string plain_page(const ServerState& state, const telemetry::Recorder& recorder);

}  // namespace ringmaster::master
