// problems(): the faults that the server's present state shows, and those that its counts of the
// last seconds show (recent_problems.h). The status page adds those that only many looks show, such
// as a method that has become slow (page/diagnosis.js).
#pragma once

#include <string>
#include <vector>

#include "base/telemetry/recorder.h"
#include "master/admin/server_state.h"

namespace ringmaster::master {

struct Problem {
  bool is_bad;  // else it is worth a look
  std::string text;
};

// The worst ones first.
std::vector<Problem> problems(const ServerState& state, const telemetry::Recorder& recorder);

}  // namespace ringmaster::master
