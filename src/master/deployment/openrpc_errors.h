// The errors of an OpenRPC document: all of them once, in its components, and for each method
// references to those that it can cause. Only errors of valid requests for known methods.
#pragma once

#include <rapidjson/document.h>

#include "config/options.h"

namespace ringmaster::master {

using JsonAllocator = rapidjson::Document::AllocatorType;

// An array of references to the errors that the method's steps and tokens can cause.
rapidjson::Value errors_of(const Method& method, bool asks_for_token, JsonAllocator& allocator);

// The object that they refer to.
rapidjson::Value all_errors(JsonAllocator& allocator);

}  // namespace ringmaster::master
