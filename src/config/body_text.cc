#include "config/body_text.h"

#include <cmath>
#include <fmt/format.h>

#include "base/assert.h"
#include "base/json/scan.h"
#include "base/json/value.h"

namespace ringmaster::config {
namespace {

// A float in TOML and JSON: the text needs a point or an exponent.
std::string float_text(double number) {
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::optional<std::string> json_at(Problems& problems, const Entry& entry, size_t depth) {
  const Value& value = *entry.value;
  if (depth > json::kMaxDepth) {
    problems.add(entry, fmt::format("is nested deeper than {}", json::kMaxDepth));
    return std::nullopt;
  }
  if (value.kind == Kind::kFloat && !std::isfinite(value.number)) {
    problems.add(entry, "inf and nan cannot be written as JSON; use a string");
    return std::nullopt;
  }
  std::string text;
  switch (value.kind) {
    case Kind::kString:
    case Kind::kDate:
      return json::quote(value.text);
    case Kind::kInteger:
      return fmt::format("{}", value.integer);
    case Kind::kFloat:
      return float_text(value.number);
    case Kind::kBoolean:
      return value.boolean ? "true" : "false";
    case Kind::kArray:
      for (size_t i = 0; i < value.items.size(); ++i) {
        const auto item = json_at(problems, entry.item(i), depth + 1);
        if (!item) return std::nullopt;
        text += (i == 0 ? "" : ",") + *item;
      }
      return '[' + text + ']';
    case Kind::kTable:
      for (const Member& member : value.members) {
        const auto item = json_at(problems, entry.member(member), depth + 1);
        if (!item) return std::nullopt;
        text += (text.empty() ? "" : ",") + json::quote(member.key) + ':' + *item;
      }
      return '{' + text + '}';
  }
  return std::nullopt;
}

void append_toml(std::string& out, const rapidjson::Value& value) {
  if (value.IsString()) {
    out += quote_string(json::text_of(value));
  } else if (value.IsBool()) {
    out += value.GetBool() ? "true" : "false";
  } else if (value.IsInt64()) {
    out += fmt::format("{}", value.GetInt64());
  } else if (value.IsNumber()) {
    out += float_text(value.GetDouble());
  } else if (value.IsArray()) {
    std::string_view separator = "[";
    for (const rapidjson::Value& item : value.GetArray()) {
      out += separator;
      append_toml(out, item);
      separator = ", ";
    }
    out += value.Empty() ? "[]" : "]";
  } else if (value.IsObject()) {
    std::string_view separator = "{ ";
    for (const auto& member : value.GetObject()) {
      out += separator;
      out += quote_key(json::text_of(member.name)) + " = ";
      append_toml(out, member.value);
      separator = ", ";
    }
    out += value.ObjectEmpty() ? "{}" : " }";
  }
}

}  // namespace

std::optional<std::string> to_json(Problems& problems, const Entry& entry) {
  return json_at(problems, entry, 1);
}

std::string to_toml(std::string_view json) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseFullPrecisionFlag>(json.data(), json.size());
  RM_ASSERT(!document.HasParseError());
  std::string out;
  append_toml(out, document);
  return out;
}

}  // namespace ringmaster::config
