// recent_problems(): the faults that the growth of the counts shows: refusals, missed deadlines,
// failures of handlers and of upstreams within the last 10 to 20 s, and workers that have ended
// within the last minute or so (RecentCounts). A server that has just started: since its start.
#pragma once

#include <vector>

#include "base/telemetry/recorder.h"
#include "master/admin/problems.h"
#include "master/admin/server_state.h"

namespace ringmaster::master {

std::vector<Problem> recent_problems(const ServerState& state, const telemetry::Recorder& recorder);

}  // namespace ringmaster::master
