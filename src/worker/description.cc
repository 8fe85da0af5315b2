#include "worker/description.h"

#include <algorithm>
#include <fmt/format.h>
#include <ringmaster/handler.h>
#include <span>
#include <utility>
#include <vector>

#include "base/json/scan.h"
#include "base/json/schema_dialect.h"
#include "base/json/value.h"

namespace ringmaster::worker {
namespace {

using json::print;
using json::text_of;
using rapidjson::SizeType;
using rapidjson::Value;

// _meta is reserved in every request: see rpc/json_rpc.h.
constexpr std::string_view kReservedName = "_meta";

enum class Shape {
  kText,
  kFlag,
  kStructure,
  kSchema,
  kAnything,
  kDescriptor,
  kDescriptors,
  kValue,
  kValues,
  kExamples
};

struct Member {
  std::string_view name;
  Shape shape;
  bool is_required = false;
};

constexpr Member kMembers[] = {
    {"summary", Shape::kText},       {"description", Shape::kText},
    {"params", Shape::kDescriptors}, {"paramStructure", Shape::kStructure},
    {"result", Shape::kDescriptor},  {"examples", Shape::kExamples},
};
constexpr Member kDescriptorMembers[] = {
    {"name", Shape::kText, true},  {"schema", Shape::kSchema, true}, {"summary", Shape::kText},
    {"description", Shape::kText}, {"required", Shape::kFlag},       {"deprecated", Shape::kFlag},
};
constexpr Member kExampleMembers[] = {
    {"name", Shape::kText, true}, {"params", Shape::kValues, true}, {"result", Shape::kValue, true},
    {"summary", Shape::kText},    {"description", Shape::kText},
};
constexpr Member kValueMembers[] = {
    {"name", Shape::kText, true},
    {"value", Shape::kAnything, true},
    {"summary", Shape::kText},
    {"description", Shape::kText},
};

// Checks a description against handler.h; keeps the first fault.
class Check {
 public:
  void object(const Value& value, std::span<const Member> members, const std::string& at);
  void params(const Value& params, const std::string& at);
  std::string& fault() { return fault_; }

 private:
  bool refuse(const std::string& at, std::string_view what) {
    if (fault_.empty()) fault_ = fmt::format("{}: {}", at, what);
    return false;
  }
  void member(Shape shape, const Value& value, const std::string& at);
  void array(const Value& value, std::span<const Member> members, const std::string& at);

  std::string fault_;
};

void Check::object(const Value& value, std::span<const Member> members, const std::string& at) {
  if (!value.IsObject()) return void(refuse(at, "expected an object"));
  for (const auto& found : value.GetObject()) {
    const std::string_view name = text_of(found.name);
    const std::string member_at = at + json::pointer_token(name);
    const auto known = std::ranges::find(members, name, &Member::name);
    if (known == members.end()) return void(refuse(member_at, "unknown member"));
    // JSON readers differ on which of two equal members counts.
    if (&value.FindMember(found.name)->value != &found.value) {
      return void(refuse(member_at, "found twice"));
    }
    member(known->shape, found.value, member_at);
  }
  for (const Member& wanted : members) {
    if (wanted.is_required && !value.HasMember(wanted.name.data())) {
      refuse(at, fmt::format("expected a member {}, found none", wanted.name));
    }
  }
}

void Check::member(Shape shape, const Value& value, const std::string& at) {
  switch (shape) {
    case Shape::kText:
      if (!value.IsString() || value.GetStringLength() == 0) refuse(at, "expected some text");
      return;
    case Shape::kFlag:
      if (!value.IsBool()) refuse(at, "expected true or false");
      return;
    case Shape::kStructure:
      if (!value.IsString() || (text_of(value) != "by-name" && text_of(value) != "by-position" &&
                                text_of(value) != "either")) {
        refuse(at, "expected by-name, by-position or either");
      }
      return;
    case Shape::kSchema:
      if (!value.IsObject()) refuse(at, "expected a schema: an object");
      return;
    case Shape::kAnything:
      return;
    case Shape::kDescriptor:
      return object(value, kDescriptorMembers, at);
    case Shape::kDescriptors:
      return params(value, at);
    case Shape::kValue:
      return object(value, kValueMembers, at);
    case Shape::kValues:
      return array(value, kValueMembers, at);
    case Shape::kExamples:
      return array(value, kExampleMembers, at);
  }
}

void Check::array(const Value& value, std::span<const Member> members, const std::string& at) {
  if (!value.IsArray()) return void(refuse(at, "expected an array"));
  for (SizeType i = 0; i < value.Size(); ++i)
    object(value[i], members, fmt::format("{}/{}", at, i));
}

bool is_required(const Value& param) {
  return param.HasMember("required") && param["required"].GetBool();
}

void Check::params(const Value& params, const std::string& at) {
  array(params, kDescriptorMembers, at);
  if (!fault_.empty()) return;
  for (SizeType i = 0; i < params.Size(); ++i) {
    const std::string param_at = fmt::format("{}/{}", at, i);
    const std::string_view name = text_of(params[i]["name"]);
    if (name == kReservedName) refuse(param_at + "/name", "is reserved");
    const auto same = std::find_if(params.Begin(), &params[i], [&](const Value& before) {
      return text_of(before["name"]) == name;
    });
    if (same != &params[i]) refuse(param_at + "/name", "is another parameter's, too");
    if (i > 0 && is_required(params[i]) && !is_required(params[i - 1])) {
      refuse(param_at + "/required", "expected required parameters before optional ones");
    }
    const auto schema = json::Schema::compile(print(params[i]["schema"]));
    if (!schema && fault_.empty()) fault_ = param_at + "/schema" + schema.error();
  }
}

// The decoded key of a member. Empty for a key with a lone surrogate: no parameter's name is empty.
std::string decode(std::string_view key) {
  if (key.find('\\') == std::string_view::npos) return std::string(key.substr(1, key.size() - 2));
  rapidjson::Document string;
  string.Parse(key.data(), key.size());
  return string.IsString() ? std::string(text_of(string)) : "";
}

std::optional<json::Schema::Mismatch> find_mismatch_in(std::string_view value,
                                                       const json::Schema& schema) {
  if (schema.accepts_each(value.front())) return {};
  return schema.find_mismatch(value);
}

// `at`: a JSON pointer to the value.
std::string describe(const json::Schema::Mismatch& mismatch, std::string_view at) {
  return fmt::format("params{}{}: expected {}, found {}", at, mismatch.pointer, mismatch.expected,
                     mismatch.found);
}

}  // namespace

tl::expected<Description, std::string> Description::parse(std::string_view text) {
  if (text.size() > RINGMASTER_DESCRIPTION_BYTES_MAX) {
    return tl::unexpected(fmt::format(": expected at most {} bytes, found {}",
                                      RINGMASTER_DESCRIPTION_BYTES_MAX, text.size()));
  }
  const auto nesting = json::find_nesting(text);
  if (!nesting) return tl::unexpected(": " + nesting.error());
  if (*nesting > kDescriptionDepthMax) {
    return tl::unexpected(fmt::format(": expected at most {} levels of nesting, found {}",
                                      kDescriptionDepthMax, *nesting));
  }
  rapidjson::Document document;
  document.Parse(text.data(), text.size());
  // scan() accepts more than RapidJSON's document does: see json/scan.h.
  if (document.HasParseError()) {
    return tl::unexpected(fmt::format(": expected JSON at byte {}", document.GetErrorOffset()));
  }
  Check check;
  check.object(document, kMembers, "");
  if (!check.fault().empty()) return tl::unexpected(std::move(check.fault()));

  Description made;
  made.text_ = text;
  const auto params = document.FindMember("params");
  if (params == document.MemberEnd()) return made;
  const auto structure = document.FindMember("paramStructure");
  if (structure != document.MemberEnd()) {
    made.is_by_name_ = text_of(structure->value) != "by-position";
    made.is_by_position_ = text_of(structure->value) != "by-name";
  }
  for (const Value& param : params->value.GetArray()) {
    made.params_.push_back({std::string(text_of(param["name"])),
                            *json::Schema::compile(print(param["schema"])), is_required(param)});
  }
  const bool can_mismatch = !made.is_by_name_ || !made.is_by_position_ ||
                            std::ranges::any_of(made.params_, [](const Param& param) {
                              return param.is_required || !param.schema.is_anything();
                            });
  if (!can_mismatch) made.params_.clear();
  return made;
}

std::optional<std::string> Description::find_mismatch(std::string_view params, Names filled) const {
  if (params.empty()) params = is_by_name_ ? "{}" : "[]";
  json::Parts parts(params);
  if (!is_by_name_ && parts.is_object())
    return "params: expected type [\"array\"], found an object";
  if (!is_by_position_ && !parts.is_object())
    return "params: expected type [\"object\"], found an array";
  return parts.is_object() ? find_mismatch_by_name(parts, filled)
                           : find_mismatch_by_position(parts, filled);
}

std::optional<std::string> Description::find_mismatch_by_name(json::Parts& members,
                                                              Names filled) const {
  std::vector<bool> is_given(params_.size());
  while (const auto member = members.next()) {
    const auto param = std::ranges::find(params_, decode(member->key), &Param::name);
    if (param == params_.end()) continue;
    is_given[static_cast<size_t>(param - params_.begin())] = true;
    if (const auto mismatch = find_mismatch_in(member->value, param->schema))
      return describe(*mismatch, json::pointer_token(param->name));
  }
  for (size_t i = 0; i < params_.size() && params_[i].is_required; ++i) {
    if (is_given[i] || std::ranges::count(filled, params_[i].name) > 0) continue;
    return fmt::format("params: expected {} (required), found no such member", params_[i].name);
  }
  return {};
}

std::optional<std::string> Description::find_mismatch_by_position(json::Parts& elements,
                                                                  Names filled) const {
  size_t count = 0;
  for (; const auto element = elements.next(); ++count) {
    if (count >= params_.size()) continue;
    if (const auto mismatch = find_mismatch_in(element->value, params_[count].schema))
      return describe(*mismatch, fmt::format("/{}", count));
  }
  size_t required = 0;  // elements that must be given: up to the last one that no step fills
  for (size_t i = 0; i < params_.size() && params_[i].is_required; ++i) {
    if (std::ranges::count(filled, params_[i].name) == 0) required = i + 1;
  }
  if (required <= count && count <= params_.size()) return {};
  std::string names;
  for (const Param& param : params_)
    names += (names.empty() ? "" : ", ") + param.name;
  const bool is_short = count < required;
  return fmt::format("params: expected {} {}, found an array of {} elements; in their order: {}",
                     is_short ? "minItems" : "maxItems", is_short ? required : params_.size(),
                     count, names);
}

}  // namespace ringmaster::worker
