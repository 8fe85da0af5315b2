// The errors of an OpenRPC document: its components have each error once, and each method has
// references to those that it can cause. It lists only errors of valid requests for known methods.
#pragma once

#include <rapidjson/document.h>

#include "config/options.h"

namespace ringmaster::master {

using JsonAllocator = rapidjson::Document::AllocatorType;

// An array of references to the errors that the method's steps and tokens can cause.
rapidjson::Value errors_of(const Method& method, bool asks_for_token, JsonAllocator& allocator);

// The object with all errors, to which these references point.
rapidjson::Value all_errors(JsonAllocator& allocator);

}  // namespace ringmaster::master
