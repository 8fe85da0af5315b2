// How every command says what is wrong with a configuration.
#pragma once

#include <cstdio>
#include <vector>

#include "config/config.h"

namespace ringmaster::cli {

// One line for each problem. Returns the exit code that goes with them: 78.
int print_problems(std::FILE* where, const std::vector<config::Problem>& problems);

}  // namespace ringmaster::cli
