// The version of ringmaster, as `--version` prints it.
#pragma once

#include <string_view>

namespace ringmaster {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace ringmaster
