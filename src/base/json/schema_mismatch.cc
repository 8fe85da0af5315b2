#include "base/json/schema_mismatch.h"

#include <algorithm>
#include <vector>

#include "base/json/scan.h"
#include "base/json/value.h"
#include "base/nearest.h"

namespace ringmaster::json {
namespace {

// Finds the value that ends at a place.
class Ending final : public Visitor {
 public:
  explicit Ending(const char* end) : end_(end) {}
  void restart() override { found_ = {}; }
  void value(const Value& value) override {
    if (value.raw.data() + value.raw.size() == end_) found_ = value.raw;
  }
  std::string_view found() const { return found_; }

 private:
  const char* end_;
  std::string_view found_;
};

// Finds the keys of the object that ends at a place.
class Keys final : public Visitor {
 public:
  Keys(std::string_view text, size_t end) : end_(text.data() + end) {}
  void restart() override { found_.clear(); }
  void key(std::string_view text, size_t depth) override { open_[depth - 1].emplace_back(text); }
  void enter(Kind, size_t depth) override {
    if (open_.size() <= depth) open_.resize(depth + 1);
    open_[depth].clear();
  }
  void value(const Value& value) override {
    if (value.kind == Kind::kObject && value.raw.data() + value.raw.size() == end_) {
      found_ = open_[value.depth];
    }
  }
  bool has(std::string_view key) const { return std::ranges::find(found_, key) != found_.end(); }

 private:
  const char* end_;
  std::vector<std::vector<std::string>> open_;  // the keys of each open object
  std::vector<std::string> found_;
};

bool names_type(const rapidjson::Value& schema, std::string_view type) {
  const auto wanted = schema.FindMember("type");
  if (wanted == schema.MemberEnd()) return false;
  const auto is_type = [type](const rapidjson::Value& name) { return text_of(name) == type; };
  if (wanted->value.IsString()) return is_type(wanted->value);
  return std::any_of(wanted->value.Begin(), wanted->value.End(), is_type);
}

}  // namespace

std::string cut(std::string text) {
  if (text.size() <= kShownBytesMax) return text;
  text.resize(kShownBytesMax);
  return text.append("...");
}

std::string_view find_value_before(size_t end, std::string_view text) {
  Ending ending(text.data() + end);
  [[maybe_unused]] const auto fault = scan(text, ending);
  return ending.found();
}

const rapidjson::Value* find_meant(const rapidjson::Value& schemas, std::string_view value) {
  if (!value.starts_with('{') && !value.starts_with('[')) return nullptr;
  const std::string_view type = value.front() == '{' ? "object" : "array";
  const auto is_meant = [type](const rapidjson::Value& schema) { return names_type(schema, type); };
  const rapidjson::Value* const end = schemas.End();
  const rapidjson::Value* const first = std::find_if(schemas.Begin(), end, is_meant);
  return first != end && std::none_of(first + 1, end, is_meant) ? first : nullptr;
}

std::string find_missing(const rapidjson::Value& required, std::string_view text, size_t end) {
  Keys keys(text, end);
  [[maybe_unused]] const auto fault = scan(text, keys);
  for (const auto& name : required.GetArray()) {
    if (!keys.has(text_of(name))) return std::string(text_of(name));
  }
  return {};
}

std::string list_members(const rapidjson::Value& schema, std::string_view found) {
  const auto properties = schema.FindMember("properties");
  if (properties == schema.MemberEnd() || properties->value.ObjectEmpty()) return {};
  std::vector<std::string_view> known;
  std::string names;
  for (const auto& property : properties->value.GetObject()) {
    known.push_back(text_of(property.name));
    names.append(names.empty() ? "" : ", ").append(known.back());
  }
  return cut("one of the members " + names) + did_you_mean(found, known);
}

}  // namespace ringmaster::json
