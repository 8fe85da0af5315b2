// The parts of error messages about a text that does not fit a schema.
//
// REQUIRES: scan() accepts the text; the schemas are those of schema_dialect.h.
#pragma once

#include <cstddef>
#include <rapidjson/document.h>
#include <string>
#include <string_view>

namespace ringmaster::json {

// The longest quotation of a schema or a text.
inline constexpr size_t kShownBytesMax = 200;
std::string cut(std::string text);

// The value that ends at this byte.
std::string_view find_value_before(size_t end, std::string_view text);

// The only schema of an anyOf that names the type of `value`, an object or array: the client
// probably meant this schema. Null: not exactly one names the type, or `value` is a scalar.
const rapidjson::Value* find_meant(const rapidjson::Value& schemas, std::string_view value);

// The first of the required names that the object which ends at byte `end` lacks.
std::string find_missing(const rapidjson::Value& required, std::string_view text, size_t end);

// "one of the members a, b; did you mean a?", for the unknown member `found`. Empty: the schema
// declares no members.
std::string list_members(const rapidjson::Value& schema, std::string_view found);

}  // namespace ringmaster::json
