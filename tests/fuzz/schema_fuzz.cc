// base/json/schema: the input is a schema, a newline, and a text to check against it.
//
// Every schema is compiled, or refused with the place of its fault. For every text an independent
// reading of the schema gives the same verdict, and a mismatch names a place in the text.
#include <algorithm>
#include <cmath>
#include <rapidjson/document.h>
#include <rapidjson/pointer.h>
#include <string>

#include "base/json/scan.h"
#include "base/json/schema.h"
#include "fuzz.h"

namespace ringmaster {
namespace {

using rapidjson::Document;
using rapidjson::Value;

// Beyond this number JSON readers differ on whether a double equals an integer.
constexpr double kPreciseMax = 9007199254740992.0;

bool is_precise(const Value& value) {
  const auto precise = [](const Value& inner) { return is_precise(inner); };
  if (value.IsNumber()) return std::abs(value.GetDouble()) <= kPreciseMax;
  if (value.IsArray()) return std::all_of(value.Begin(), value.End(), precise);
  return !value.IsObject() ||
         std::all_of(value.MemberBegin(), value.MemberEnd(),
                     [](const Value::Member& member) { return is_precise(member.value); });
}

bool is_of(const Value& value, std::string_view type) {
  if (type == "null") return value.IsNull();
  if (type == "boolean") return value.IsBool();
  if (type == "object") return value.IsObject();
  if (type == "array") return value.IsArray();
  if (type == "string") return value.IsString();
  return value.IsNumber() &&
         (type == "number" || std::trunc(value.GetDouble()) == value.GetDouble());
}

const Value* find(const Value& schema, const char* keyword) {
  const auto found = schema.FindMember(keyword);
  return found == schema.MemberEnd() ? nullptr : &found->value;
}

// has(): whether holds() accepts the keyword's value; true without the keyword. any(): whether
// holds() accepts one element of an array, or a value that is no array.
template <class Holds>
bool has(const Value& schema, const char* keyword, Holds holds) {
  const Value* value = find(schema, keyword);
  return value == nullptr || holds(*value);
}

template <class Holds>
bool any(const Value& values, Holds holds) {
  if (!values.IsArray()) return holds(values);
  return std::any_of(values.Begin(), values.End(), holds);
}

size_t characters(const Value& string) {
  return static_cast<size_t>(std::count_if(string.GetString(),
                                           string.GetString() + string.GetStringLength(),
                                           [](char c) { return (c & 0xc0) != 0x80; }));
}

bool fits(const Value& schema, const Value& value);

bool number_fits(const Value& schema, double number) {
  return has(schema, "minimum", [=](const Value& v) { return number >= v.GetDouble(); }) &&
         has(schema, "maximum", [=](const Value& v) { return number <= v.GetDouble(); }) &&
         has(schema, "exclusiveMinimum", [=](const Value& v) { return number > v.GetDouble(); }) &&
         has(schema, "exclusiveMaximum", [=](const Value& v) { return number < v.GetDouble(); }) &&
         has(schema, "multipleOf",
             [=](const Value& v) { return std::fmod(number, v.GetDouble()) == 0; });
}

bool count_fits(const Value& schema, size_t count, const char* min, const char* max) {
  return has(schema, min, [=](const Value& v) { return count >= v.GetUint(); }) &&
         has(schema, max, [=](const Value& v) { return count <= v.GetUint(); });
}

bool allows(const Value& switch_or_schema, const Value& value) {
  return switch_or_schema.IsBool() ? switch_or_schema.GetBool() : fits(switch_or_schema, value);
}

bool object_fits(const Value& schema, const Value& object) {
  const Value* properties = find(schema, "properties");
  const bool members_fit =
      std::all_of(object.MemberBegin(), object.MemberEnd(), [&](const Value::Member& member) {
        if (properties != nullptr && properties->HasMember(member.name)) {
          return fits((*properties)[member.name], member.value);
        }
        // RapidJSON treats a required name as a property without a schema.
        const bool is_required = !has(schema, "required", [&](const Value& names) {
          return std::find(names.Begin(), names.End(), member.name) == names.End();
        });
        return is_required || has(schema, "additionalProperties",
                                  [&](const Value& v) { return allows(v, member.value); });
      });
  return members_fit &&
         count_fits(schema, object.MemberCount(), "minProperties", "maxProperties") &&
         has(schema, "required", [&](const Value& names) {
           return std::all_of(names.Begin(), names.End(),
                              [&](const Value& name) { return object.HasMember(name); });
         });
}

bool array_fits(const Value& schema, const Value& array) {
  const Value* items = find(schema, "items");
  for (rapidjson::SizeType i = 0; i < array.Size() && items != nullptr; ++i) {
    const bool is_listed = items->IsObject() || i < items->Size();
    const bool is_fit = is_listed ? fits(items->IsObject() ? *items : (*items)[i], array[i])
                                  : has(schema, "additionalItems",
                                        [&](const Value& v) { return allows(v, array[i]); });
    if (!is_fit) return false;
  }
  return count_fits(schema, array.Size(), "minItems", "maxItems");
}

bool fits(const Value& schema, const Value& value) {
  const auto fits_value = [&](const Value& other) { return fits(other, value); };
  const auto equals = [&](const Value& other) { return other == value; };
  const auto is_of_type = [&](const Value& type) { return is_of(value, type.GetString()); };
  if (!has(schema, "type", [&](const Value& v) { return any(v, is_of_type); }) ||
      !has(schema, "enum", [&](const Value& v) { return any(v, equals); }) ||
      !has(schema, "const", equals) ||
      !has(schema, "anyOf", [&](const Value& v) { return any(v, fits_value); }) ||
      !has(schema, "not", [&](const Value& v) { return !fits(v, value); }) ||
      !has(schema, "allOf",
           [&](const Value& v) { return std::all_of(v.Begin(), v.End(), fits_value); }) ||
      !has(schema, "oneOf",
           [&](const Value& v) { return std::count_if(v.Begin(), v.End(), fits_value) == 1; })) {
    return false;
  }
  if (value.IsNumber()) return number_fits(schema, value.GetDouble());
  if (value.IsString()) return count_fits(schema, characters(value), "minLength", "maxLength");
  if (value.IsObject()) return object_fits(schema, value);
  return !value.IsArray() || array_fits(schema, value);
}

// Empty: our reader or RapidJSON refuses the text.
Document parse(std::string_view text) {
  Document parsed;
  if (!json::find_fault(text)) parsed.Parse(text.data(), text.size());
  return parsed;
}

void check(std::string_view source, std::string_view text) {
  const auto schema = json::Schema::compile(source);
  RM_ASSERT(schema || !schema.error().empty());
  if (!schema || json::find_fault(text)) return;
  const auto mismatch = schema->find_mismatch(text);
  const Document document = parse(text), meant = parse(source);
  RM_ASSERT(mismatch || !document.HasParseError());
  if (document.HasParseError()) return;
  // The message cuts a long pointer, and RapidJSON ends a pointer at a NUL.
  const bool is_whole = mismatch && !mismatch->pointer.ends_with("...") &&
                        text.find("\\u0000") == std::string_view::npos;
  if (is_whole) RM_ASSERT(rapidjson::Pointer(mismatch->pointer).Get(document) != nullptr);
  if (is_precise(document) && is_precise(meant)) RM_ASSERT(fits(meant, document) == !mismatch);
}

}  // namespace
}  // namespace ringmaster

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = ringmaster::fuzz::text_of(data, size);
  const size_t line = std::min(input.find('\n'), input.size());
  ringmaster::check(input.substr(0, line), input.substr(std::min(line + 1, input.size())));
  return 0;
}
