// The members of JSON that a server wrote. A server of another version may lack a member, or have
// another type for it: it then counts as 0 or empty.
#pragma once

#include <cstdint>
#include <rapidjson/document.h>
#include <string>

#include "cli/status_port.h"

namespace ringmaster::cli {

inline const rapidjson::Value& member(const rapidjson::Value& object, const char* name) {
  static const rapidjson::Value kNone;
  if (!object.IsObject()) return kNone;
  const auto found = object.FindMember(name);
  return found == object.MemberEnd() ? kNone : found->value;
}

inline uint64_t count(const rapidjson::Value& object, const char* name) {
  const rapidjson::Value& value = member(object, name);
  return value.IsUint64() ? value.GetUint64() : 0;
}

inline double number(const rapidjson::Value& object, const char* name) {
  const rapidjson::Value& value = member(object, name);
  return value.IsNumber() ? value.GetDouble() : 0;
}

// Without control characters.
inline std::string text(const rapidjson::Value& value) {
  return value.IsString() ? without_controls({value.GetString(), value.GetStringLength()}) : "";
}

template <class Visit>
void for_each_element(const rapidjson::Value& array, Visit visit) {
  if (!array.IsArray()) return;
  for (const rapidjson::Value& element : array.GetArray())
    visit(element);
}

template <class Visit>
void for_each_member(const rapidjson::Value& object, Visit visit) {
  if (!object.IsObject()) return;
  for (const auto& one : object.GetObject())
    visit(text(one.name), one.value);
}

}  // namespace ringmaster::cli
