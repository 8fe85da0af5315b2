// JSON as people read it.
#pragma once

#include <string>
#include <string_view>

namespace ringmaster::cli {

// `json` with one member a line, indented by two blanks; as it is where it is no JSON.
std::string pretty_json(std::string_view json);

}  // namespace ringmaster::cli
