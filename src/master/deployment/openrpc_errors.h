// The errors of an OpenRPC document: all of them once, in its components, and by reference those
// that a method can bring about. They are those of a request that is one, for a method that there
// is.
#pragma once

#include <rapidjson/document.h>

#include "config/options.h"

namespace ringmaster::master {

using JsonAllocator = rapidjson::Document::AllocatorType;

// An array of references to those of the method, whose steps and tokens decide.
rapidjson::Value errors_of(const Method& method, bool asks_for_token, JsonAllocator& allocator);

// An object: what is referred to.
rapidjson::Value all_errors(JsonAllocator& allocator);

}  // namespace ringmaster::master
