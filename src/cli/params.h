// Params and other JSON texts on a command line: as they are, in a file, or on stdin.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace ringmaster::cli {

// `given`; for "@FILE" the text in FILE; for "-" the text on stdin. (Large texts need these forms:
// the system limits an argument to 128 KiB.) Fails with 64 if the text cannot be read or is empty;
// `what`: the argument's name for the message, "call: expected PARAMS".
Result<std::string> read_text_argument(std::string_view what, const std::string& given);

// Fails with 64 unless `params` are a JSON object or array, or empty. `command` is for the message.
[[nodiscard]] Status check_params(std::string_view command, std::string_view params);

}  // namespace ringmaster::cli
