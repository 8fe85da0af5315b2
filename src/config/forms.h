// Forms: what the values of each type of key look like, for the JSON Schema.
#pragma once

#include <string>

#include "config/key.h"

namespace ringmaster::config {

struct Form {
  std::string title;    // for people: `1 to 512, or "auto"`
  std::string members;  // of the schema of such a value
};

// `min` and `max` are for numbers. A form may refer to definitions(), and to a definition `step`.
Form form_of(Type type, uint64_t min = 0, uint64_t max = 0);

// The schema's definitions for the body of a fetch step.
std::string definitions();

}  // namespace ringmaster::config
