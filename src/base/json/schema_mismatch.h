// What error messages say of a text that does not fit a schema.
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

// Of the schemas of an anyOf the only one that names the type of this object or array: it is the
// one that was meant. Null: there is none, or `value` is another.
const rapidjson::Value* find_meant(const rapidjson::Value& schemas, std::string_view value);

// The first of the required names that the object before this byte lacks.
std::string find_missing(const rapidjson::Value& required, std::string_view text, size_t end);

// "one of the members a, b; did you mean a?", for another one. Empty: the schema knows none.
std::string list_members(const rapidjson::Value& schema, std::string_view found);

}  // namespace ringmaster::json
