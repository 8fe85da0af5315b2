// The JSON Schema of the configuration file. Editors check files with it, and `make options` writes
// the documents about the keys from it.
#pragma once

#include <string>

namespace ringmaster::config {

// Draft 07, in one line. For each key, `title` names the allowed values, `description` the meaning,
// and `default` the value if the file does not set the key.
//
// Only load() knows the rest: the range of a size that is a string ("64MiB"), whether a file
// exists, and rules that concern several keys.
std::string schema();

}  // namespace ringmaster::config
