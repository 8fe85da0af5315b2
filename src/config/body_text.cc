#include "config/body_text.h"

#include <cmath>
#include <fmt/format.h>
#include <map>
#include <rapidjson/document.h>
#include <vector>

#include "base/assert.h"
#include "base/json.h"

namespace ringmaster::config {
namespace {

constexpr std::string_view kParameterPrefix = "$params.";

// TOML and JSON agree on floats, as long as one can see that it is one.
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

// The members that a template asks of a parameter; none: the parameter itself.
struct Parameter {
  std::map<std::string, Parameter> members;
};

struct StandIn {
  std::string object;  // what a parameter with members was rendered as
  std::string string;  // what the template has there: "$params.a"
};

// Stands for itself: the string "$params.a", or an object where the template also uses
// "$params.a.b". Such an object carries its name, so that it can be told from the template's own.
std::string stand_in(const Parameter& parameter, const std::string& name,
                     std::vector<StandIn>& objects) {
  const std::string string = json::quote(std::string(kParameterPrefix) + name);
  if (parameter.members.empty()) return string;
  std::string object = "{\"$stands for\":" + json::quote(name);
  for (const auto& [key, member] : parameter.members) {
    const std::string path = name.empty() ? key : name + '.' + key;
    object += ',' + json::quote(key) + ':' + stand_in(member, path, objects);
  }
  object += '}';
  objects.push_back({object, string});
  return object;
}

void use(Parameter& root, std::string_view name) {
  Parameter* at = &root;
  bool is_new = false;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const auto [member, added] =
        at->members.try_emplace(std::string(name.substr(begin, end - begin)));
    is_new = is_new || added;
    at = &member->second;
    begin = end + 1;
  }
  RM_ASSERT(is_new);  // else it was there, and yet reported as missing
}

void append_toml(std::string& out, const rapidjson::Value& value) {
  if (value.IsString()) {
    out += quote_string({value.GetString(), value.GetStringLength()});
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
      out += quote_key({member.name.GetString(), member.name.GetStringLength()}) + " = ";
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

void check_parameters(Problems& problems, const Entry& body) {
  const Value& value = *body.value;
  for (size_t i = 0; i < value.items.size(); ++i)
    check_parameters(problems, body.item(i));
  for (const Member& member : value.members)
    check_parameters(problems, body.member(member));
  if (value.kind != Kind::kString || !value.text.starts_with(kParameterPrefix)) return;
  const std::string name = value.text.substr(kParameterPrefix.size()) + '.';
  if (name.front() != '.' && name.find("..") == std::string::npos) return;
  problems.add(body,
               "expected a parameter's name after \"$params.\" (\"$params.user_id\"), found " +
                   describe(value));
}

std::string json_of(const rpc::BodyTemplate& body) {
  if (body.is_empty()) return "";
  // Rendered with parameters that stand for themselves, a template is what it was made from; what
  // it misses tells which parameters it has.
  Parameter root;
  while (true) {
    std::vector<StandIn> objects;
    auto rendered = body.render(root.members.empty() ? "{}" : stand_in(root, "", objects));
    if (!rendered) {
      use(root, rendered.error());
      continue;
    }
    // The outer ones come last, and have the inner ones in them.
    for (auto one = objects.rbegin(); one != objects.rend(); ++one) {
      for (size_t at; (at = rendered->find(one->object)) != std::string::npos;) {
        rendered->replace(at, one->object.size(), one->string);
      }
    }
    return *rendered;
  }
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
