// The JSON Schema of the configuration file: what editors check a file with, and what the documents
// about its keys are written from.
#pragma once

#include <string>

namespace ringmaster::config {

// Draft 07, in one line. Of each key: `title` says which values it may have, `description` what it
// means, `default` what it is where a file does not have it.
//
// Only load() knows the rest: the range of a size that is a string ("64MiB"), whether a file
// exists, and rules that concern several keys.
std::string schema();

}  // namespace ringmaster::config
