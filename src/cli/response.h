// print_response(): prints a JSON-RPC response for people: `ringmaster call`, `discover` and `run`.
#pragma once

#include <optional>
#include <string_view>

namespace ringmaster::cli {

// Prints the result on stdout (`is_pretty`: over many lines) and returns 0, or the error on stderr
// and returns 1. Returns nothing if `response` is no JSON-RPC response.
std::optional<int> print_response(std::string_view response, bool is_pretty = false);

}  // namespace ringmaster::cli
