// problems(): what is wrong with a server, as far as its present state tells. The status page adds
// what the rates of the last seconds tell (page/diagnosis.js).
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
