// A plan as text for people, and as JSON. Pure.
#pragma once

#include <string>

#include "cli/plan_cases.h"

namespace ringmaster::cli {

std::string to_text(const Plan& plan);
// Times in milliseconds; null: not known.
std::string to_json(const Plan& plan);

}  // namespace ringmaster::cli
