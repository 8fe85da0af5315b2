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

class Depth final : public json::Visitor {
 public:
  void restart() override {}
  void key(std::string_view, size_t) override {}
  void enter(json::Kind, size_t depth) override { max_ = std::max(max_, depth + 1); }
  void value(const json::Value&) override {}
  size_t max() const { return max_; }

 private:
  size_t max_ = 0;
};

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

// One schema for params by name and by position: some of its keywords apply to objects, the others
// to arrays.
Value schema_of(const Value& params, std::string_view structure,
                rapidjson::Document::AllocatorType& allocator) {
  Value schema(rapidjson::kObjectType);
  Value types(rapidjson::kArrayType), properties(rapidjson::kObjectType);
  Value required(rapidjson::kArrayType), items(rapidjson::kArrayType);
  if (structure != "by-position") types.PushBack("object", allocator);
  if (structure != "by-name") types.PushBack("array", allocator);
  for (const Value& param : params.GetArray()) {
    properties.AddMember(Value(param["name"], allocator), Value(param["schema"], allocator),
                         allocator);
    items.PushBack(Value(param["schema"], allocator), allocator);
    if (is_required(param)) required.PushBack(Value(param["name"], allocator), allocator);
  }
  schema.AddMember("type", types, allocator);
  schema.AddMember("properties", properties, allocator);
  schema.AddMember("items", items, allocator);
  schema.AddMember("minItems", required.Size(), allocator);
  schema.AddMember("maxItems", params.Size(), allocator);
  schema.AddMember("required", required, allocator);
  return schema;
}

bool could_be_violated(const Value& params, std::string_view structure) {
  return !params.Empty() &&
         (structure != "either" ||
          std::any_of(params.Begin(), params.End(), [](const Value& param) {
            return is_required(param) ||
                   !json::Schema::compile(print(param["schema"])).value().is_anything();
          }));
}

}  // namespace

tl::expected<Description, std::string> Description::parse(std::string_view text) {
  if (text.size() > RINGMASTER_DESCRIPTION_BYTES_MAX) {
    return tl::unexpected(fmt::format(": expected at most {} bytes, found {}",
                                      RINGMASTER_DESCRIPTION_BYTES_MAX, text.size()));
  }
  Depth depth;
  if (auto fault = json::scan(text, depth)) return tl::unexpected(": " + *fault);
  if (depth.max() > kDescriptionDepthMax) {
    return tl::unexpected(fmt::format(": expected at most {} levels of nesting, found {}",
                                      kDescriptionDepthMax, depth.max()));
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
  const auto structure = document.FindMember("paramStructure");
  const std::string_view how =
      structure == document.MemberEnd() ? "either" : text_of(structure->value);
  if (params == document.MemberEnd() || !could_be_violated(params->value, how)) return made;
  made.is_by_position_ = how == "by-position";
  for (const Value& param : params->value.GetArray())
    made.positions_ +=
        fmt::format("{}{}", made.positions_.empty() ? "" : ", ", text_of(param["name"]));
  auto schema =
      json::Schema::compile(print(schema_of(params->value, how, document.GetAllocator())));
  if (!schema) return tl::unexpected("/params: " + schema.error());
  made.schema_ = std::move(*schema);
  return made;
}

std::optional<std::string> Description::find_mismatch(std::string_view params) const {
  if (params.empty()) params = is_by_position_ ? "[]" : "{}";
  const auto mismatch = schema_->find_mismatch(params);
  if (!mismatch) return {};
  std::string text = fmt::format("params{}: expected {}, found {}", mismatch->pointer,
                                 mismatch->expected, mismatch->found);
  const bool is_count = mismatch->keyword == "minItems" || mismatch->keyword == "maxItems";
  if (is_count && mismatch->pointer.empty()) text += "; in their order: " + positions_;
  return text;
}

}  // namespace ringmaster::worker
