// Converts TOML values of the file to JSON, and back: bodies of fetches, options of handlers.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/problems.h"

namespace ringmaster::config {

// A value as JSON text. Dates and times become strings; inf, nan, and nesting that the JSON reader
// would refuse are problems.
std::optional<std::string> to_json(Problems& problems, const Entry& entry);

// A JSON value without nulls as inline TOML.
std::string to_toml(std::string_view json);

}  // namespace ringmaster::config
