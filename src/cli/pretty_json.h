// JSON as people read it.
#pragma once

#include <string>
#include <string_view>

namespace ringmaster::cli {

// `json` with one member a line, indented by two blanks. Returned unchanged if it cannot be parsed.
std::string pretty_json(std::string_view json);

}  // namespace ringmaster::cli
