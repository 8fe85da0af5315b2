// Reads token files, and checks the modes of all files with secrets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "config/options.h"

namespace ringmaster::config {

// At most 1,000 tokens, one a line: "TOKEN" or "NAME TOKEN". Blanks around them are ignored. Both
// have visible ASCII characters only: a token 16 to 1024, a name at most 64, and fewer than its
// token. A token without a name is named by its fingerprint. Lines that begin with '#' and empty
// ones are skipped. On an error: the fault and the line's number, without the line's text.
tl::expected<std::vector<master::Token>, std::string> read_tokens(const std::string& path);

// The first token as text, for a client.
tl::expected<std::string, std::string> read_first_token(const std::string& path);

// Empty when only the file's owner may write it, and only the owner and the group may read it.
// Otherwise the fault, and what to do.
std::optional<std::string> find_fault_in_mode(const std::string& path);

}  // namespace ringmaster::config
