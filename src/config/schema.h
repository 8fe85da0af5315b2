// The JSON Schema of the configuration file. Editors check files with it, and `make options` writes
// the documents about the keys from it.
#pragma once

#include <string>

namespace ringmaster::config {

// Draft 07, in one line. Of each key: `title` says which values it may have, `description` what it
// means, `default` its value where a file does not set it.
//
// Only load() knows the rest: the range of a size that is a string ("64MiB"), whether a file
// exists, and rules that concern several keys.
std::string schema();

}  // namespace ringmaster::config
