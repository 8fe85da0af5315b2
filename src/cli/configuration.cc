#include "cli/configuration.h"

#include "base/status.h"

namespace ringmaster::cli {

int print_problems(std::FILE* where, const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) {
    std::fprintf(where, "%s\n", config::to_string(problem).c_str());
  }
  return static_cast<int>(ExitCode::kConfig);
}

}  // namespace ringmaster::cli
