#include "master/admin/agent_line.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace ringmaster::master {

std::string agent_line(std::optional<double> idle) {
  if (!idle) return "drain";
  return fmt::format("up ready {:.0f}%", std::clamp(std::round(*idle * 100), 1.0, 100.0));
}

}  // namespace ringmaster::master
