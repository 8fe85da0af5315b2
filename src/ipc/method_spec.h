// MethodSpec: the names that workers know of a method. The master sends all methods over the
// control channel, in the order in which job headers number them.
#pragma once

#include <string>
#include <vector>

namespace ringmaster::ipc {

struct MethodSpec {
  std::string name;
  std::vector<std::string> steps = {};  // for each step, the name of its upstream or handler
};

}  // namespace ringmaster::ipc
