// The files that hold secrets: listen.token_file, and the key of TLS.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "base/secret.h"

namespace ringmaster::config {

// At most 1,000, one a line, blanks around it ignored, of 16 to 1024 visible ASCII characters;
// lines that begin with '#' and empty ones are none. Otherwise what is wrong in which line, never
// what stands there.
tl::expected<std::vector<Secret>, std::string> read_tokens(const std::string& path);

// The first of them, as it stands there: for a client.
tl::expected<std::string, std::string> read_first_token(const std::string& path);

// Empty when only the file's owner may write it, and only the owner and the group may read it;
// otherwise what to do.
std::optional<std::string> find_fault_in_mode(const std::string& path);

}  // namespace ringmaster::config
