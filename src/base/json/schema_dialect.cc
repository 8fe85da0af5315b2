#include "base/json/schema_dialect.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/json/value.h"

namespace ringmaster::json {
namespace {

using Node = rapidjson::Value;

// The kinds of a keyword's value.
enum class Shape {
  kAnnotation,
  kType,
  kScalar,
  kScalars,
  kNumber,
  kFactor,
  kCount,
  kNames,
  kSchema,
  kSchemaOrSwitch,
  kSchemas,
  kSchemaOrSchemas,
  kProperties,
};

struct Keyword {
  std::string_view name;
  Shape shape;
};

constexpr Keyword kKeywords[] = {
    {"type", Shape::kType},
    {"enum", Shape::kScalars},
    {"const", Shape::kScalar},
    {"allOf", Shape::kSchemas},
    {"anyOf", Shape::kSchemas},
    {"oneOf", Shape::kSchemas},
    {"not", Shape::kSchema},
    {"minimum", Shape::kNumber},
    {"maximum", Shape::kNumber},
    {"exclusiveMinimum", Shape::kNumber},
    {"exclusiveMaximum", Shape::kNumber},
    {"multipleOf", Shape::kFactor},
    {"minLength", Shape::kCount},
    {"maxLength", Shape::kCount},
    {"properties", Shape::kProperties},
    {"required", Shape::kNames},
    {"additionalProperties", Shape::kSchemaOrSwitch},
    {"minProperties", Shape::kCount},
    {"maxProperties", Shape::kCount},
    {"items", Shape::kSchemaOrSchemas},
    {"additionalItems", Shape::kSchemaOrSwitch},
    {"minItems", Shape::kCount},
    {"maxItems", Shape::kCount},
    {"title", Shape::kAnnotation},
    {"description", Shape::kAnnotation},
    {"default", Shape::kAnnotation},
    {"examples", Shape::kAnnotation},
    {"format", Shape::kAnnotation},
    {"$comment", Shape::kAnnotation},
    {"deprecated", Shape::kAnnotation},
};

constexpr std::string_view kTypes[] = {"null",   "boolean", "object", "array",
                                       "string", "number",  "integer"};

// JSON readers differ on which of several equal names counts.
bool is_first_of_its_name(const Node& object, const Node::Member& member) {
  return &object.FindMember(member.name)->value == &member.value;
}

bool is_type(const Node& value) {
  return value.IsString() && std::ranges::find(kTypes, text_of(value)) != std::end(kTypes);
}

bool is_number(const Node& value) {
  return value.IsNumber() && std::abs(value.GetDouble()) <= kSchemaNumberMax;
}

bool is_scalar(const Node& value) {
  return !value.IsObject() && !value.IsArray() && (!value.IsNumber() || is_number(value));
}

bool is_string(const Node& value) {
  return value.IsString();
}

template <class Is>
bool is_array_of(const Node& value, Is is) {
  return value.IsArray() && std::all_of(value.Begin(), value.End(), is);
}

// The value that a shape without subschemas expects; empty: `value` is valid.
std::string_view expected(Shape shape, const Node& value) {
  const bool is_filled = !value.IsArray() || !value.Empty();
  switch (shape) {
    case Shape::kType:
      return is_type(value) || (is_array_of(value, is_type) && is_filled)
                 ? ""
                 : "one or more of null, boolean, object, array, string, number, integer";
    case Shape::kScalar:
      return is_scalar(value) ? "" : "null, a boolean, a string or a number from -2^62 to 2^62";
    case Shape::kScalars:
      return is_array_of(value, is_scalar) && is_filled
                 ? ""
                 : "an array of null, booleans, strings and numbers from -2^62 to 2^62";
    case Shape::kNumber:
      return is_number(value) ? "" : "a number from -2^62 to 2^62";
    case Shape::kFactor:
      return value.IsUint64() && value.GetUint64() > 0 ? "" : "an integer from 1 on";
    case Shape::kCount:
      return value.IsUint() ? "" : "an integer from 0 on";
    case Shape::kNames:
      return is_array_of(value, is_string) ? "" : "an array of names";
    default:
      return "";
  }
}

class Translator {
 public:
  explicit Translator(rapidjson::Document::AllocatorType& allocator) : allocator_(allocator) {}

  Node schema(const Node& from, const std::string& at);
  // The first fault; empty: there is none.
  std::string& fault() { return fault_; }

 private:
  Node refuse(const std::string& at, std::string_view what) {
    if (fault_.empty()) fault_ = at + ": " + std::string(what);
    return {};
  }
  Node keyword(const Keyword& keyword, const Node& value, const std::string& at);
  Node schemas(const Node& from, const std::string& at);
  Node properties(const Node& from, const std::string& at);
  void add_bound(Node& to, const Node& from, const char* inclusive, const char* exclusive,
                 bool is_lower);
  Node copy(const Node& value) { return Node(value, allocator_); }

  rapidjson::Document::AllocatorType& allocator_;
  std::string fault_;
};

Node Translator::schema(const Node& from, const std::string& at) {
  if (!from.IsObject()) return refuse(at, "expected a schema: an object");
  Node to(rapidjson::kObjectType);
  for (const auto& member : from.GetObject()) {
    const std::string_view name = text_of(member.name);
    const std::string member_at = at + pointer_token(name);
    const auto known = std::ranges::find(kKeywords, name, &Keyword::name);
    if (known == std::end(kKeywords)) {
      return refuse(member_at, "unknown keyword; handler.h lists the enforced ones");
    }
    if (known->shape == Shape::kAnnotation) continue;
    if (!is_first_of_its_name(from, member)) return refuse(member_at, "found twice");
    Node value = keyword(*known, member.value, member_at);
    // Exclusive bounds are numbers in draft 7 and booleans in draft 4: see add_bound().
    if (name.ends_with("inimum") || name.ends_with("aximum")) continue;
    if (name == "const") {
      if (from.HasMember("enum")) return refuse(member_at, "expected either const or enum");
      value = std::move(Node(rapidjson::kArrayType).PushBack(value, allocator_));
      to.AddMember("enum", value, allocator_);
    } else {
      to.AddMember(copy(member.name), value, allocator_);
    }
  }
  if (!fault_.empty()) return {};
  add_bound(to, from, "minimum", "exclusiveMinimum", true);
  add_bound(to, from, "maximum", "exclusiveMaximum", false);
  return to;
}

// Keeps the tighter one of two bounds.
void Translator::add_bound(Node& to, const Node& from, const char* inclusive, const char* exclusive,
                           bool is_lower) {
  const auto without = from.FindMember(exclusive);
  const auto with = from.FindMember(inclusive);
  const bool has_with = with != from.MemberEnd();
  bool is_exclusive = without != from.MemberEnd();
  if (is_exclusive && has_with) {
    const double a = without->value.GetDouble(), b = with->value.GetDouble();
    is_exclusive = is_lower ? a >= b : a <= b;
  }
  if (!is_exclusive && !has_with) return;
  const Node& bound = is_exclusive ? without->value : with->value;
  to.AddMember(rapidjson::StringRef(inclusive), copy(bound), allocator_);
  if (is_exclusive) to.AddMember(rapidjson::StringRef(exclusive), true, allocator_);
}

Node Translator::keyword(const Keyword& keyword, const Node& value, const std::string& at) {
  if (const std::string_view wanted = expected(keyword.shape, value); !wanted.empty()) {
    return refuse(at, "expected " + std::string(wanted));
  }
  switch (keyword.shape) {
    case Shape::kSchema:
      return schema(value, at);
    case Shape::kSchemaOrSwitch:
      return value.IsBool() ? copy(value) : schema(value, at);
    case Shape::kSchemas:
      return schemas(value, at);
    case Shape::kSchemaOrSchemas:
      return value.IsArray() ? schemas(value, at) : schema(value, at);
    case Shape::kProperties:
      return properties(value, at);
    default:
      return copy(value);
  }
}

Node Translator::schemas(const Node& from, const std::string& at) {
  if (!from.IsArray() || from.Empty()) return refuse(at, "expected an array of schemas");
  Node to(rapidjson::kArrayType);
  for (rapidjson::SizeType i = 0; i < from.Size(); ++i)
    to.PushBack(schema(from[i], at + '/' + std::to_string(i)), allocator_);
  return to;
}

Node Translator::properties(const Node& from, const std::string& at) {
  if (!from.IsObject()) return refuse(at, "expected an object of schemas");
  Node to(rapidjson::kObjectType);
  for (const auto& member : from.GetObject()) {
    const std::string member_at = at + pointer_token(text_of(member.name));
    if (!is_first_of_its_name(from, member)) return refuse(member_at, "found twice");
    if (text_of(member.name).find('\0') != std::string_view::npos) {
      return refuse(member_at, "a property's name cannot have a NUL");
    }
    // RapidJSON also reads `from` as a schema, and fails on the keyword "dependencies" in it.
    if (text_of(member.name) == "dependencies") {
      return refuse(member_at, "a property of this name cannot have a schema");
    }
    to.AddMember(copy(member.name), schema(member.value, member_at), allocator_);
  }
  return to;
}

}  // namespace

tl::expected<rapidjson::Value, std::string> translate(
    const Node& schema, rapidjson::Document::AllocatorType& allocator) {
  Translator translator(allocator);
  Node translated = translator.schema(schema, "");
  if (!translator.fault().empty()) return tl::unexpected(std::move(translator.fault()));
  return translated;
}

std::string pointer_token(std::string_view text) {
  std::string token = "/";
  for (const char c : text) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  return token;
}

}  // namespace ringmaster::json
