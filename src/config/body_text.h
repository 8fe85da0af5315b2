// The body of a fetch, and whatever else is handed over as JSON: TOML in the file, JSON inside.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/problems.h"

namespace ringmaster::config {

// A value as JSON text. Dates and times become strings; inf and nan have no JSON form and are
// problems, as is nesting that the JSON reader would refuse.
std::optional<std::string> to_json(Problems& problems, const Entry& entry);

// Adds a problem for every "$params." that no parameter's name follows.
void check_parameters(Problems& problems, const Entry& body);

// A JSON value without nulls as inline TOML.
std::string to_toml(std::string_view json);

}  // namespace ringmaster::config
