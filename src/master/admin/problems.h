// problems(): the faults that a server's present state shows. The status page adds the faults that
// its counts of the last seconds show (page/diagnosis.js).
#pragma once

#include <string>
#include <vector>

#include "master/admin/server_state.h"

namespace ringmaster::master {

struct Problem {
  bool is_bad;  // else it is worth a look
  std::string text;
};

// The worst ones first.
std::vector<Problem> problems(const ServerState& state);

}  // namespace ringmaster::master
