// The interests handler's reading of a user: the input is the text that was fetched.
//
// Whatever the text: if RapidJSON's tree of the text has what features.h requires, read_user()
// finds the same user and features as the tree has. Otherwise read_user() returns an error.
#include <algorithm>
#include <optional>
#include <rapidjson/document.h>
#include <rapidjson/memorystream.h>
#include <string>

#include "demo/interests/features.h"
#include "fuzz.h"

namespace {

using namespace ringmaster::interests;
using rapidjson::Value;

constexpr size_t kDepthMax = 128;

size_t depth_of(const Value& value) {
  size_t deepest = 0;
  if (value.IsObject()) {
    for (const auto& member : value.GetObject())
      deepest = std::max(deepest, depth_of(member.value));
  } else if (value.IsArray()) {
    for (const Value& item : value.GetArray())
      deepest = std::max(deepest, depth_of(item));
  } else {
    return 0;
  }
  return deepest + 1;
}

// The category of an event; empty: the value is no valid event.
std::optional<uint8_t> category_of(const Value& event) {
  uint8_t category = kNoCategory;
  if (!event.IsObject()) return {};
  for (const auto& [key, value] : event.GetObject()) {
    if (key == "category") {
      if (!value.IsString()) return {};
      category = find_category({value.GetString(), value.GetStringLength()});
      if (category == kNoCategory) return {};
    } else if (key == "ts" ? !value.IsNumber() : depth_of(value) > kDepthMax) {
      return {};
    }
  }
  return category == kNoCategory ? std::nullopt : std::optional(category);
}

// The user that read_user() must find; empty: it must refuse the text.
std::optional<User> user_in(const Value& root) {
  User user;
  std::optional<History> history;
  if (!root.IsObject()) return {};
  for (const auto& [key, value] : root.GetObject()) {
    if (key == "user_id") {
      if (!value.IsInt64() && !value.IsUint64()) return {};
      user.id =
          value.IsInt64() ? std::to_string(value.GetInt64()) : std::to_string(value.GetUint64());
    } else if (key == "events") {
      if (!value.IsArray()) return {};
      history.emplace();
      for (const Value& event : value.GetArray()) {
        const std::optional<uint8_t> category = category_of(event);
        if (!category) return {};
        history->add(*category);
      }
    } else if (depth_of(value) > kDepthMax) {
      return {};
    }
  }
  if (user.id.empty() || !history) return {};
  history->write(user.features);
  return user;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = ringmaster::fuzz::text_of(data, size);
  User user;
  const std::optional<std::string> fault = read_user(text, "body", user);
  rapidjson::Document tree;
  rapidjson::MemoryStream stream(text.data(), text.size());
  tree.ParseStream<rapidjson::kParseIterativeFlag>(stream);
  std::optional<User> expected;
  if (!tree.HasParseError() && stream.Tell() == size) expected = user_in(tree);
  RM_ASSERT(fault.has_value() != expected.has_value());
  if (fault) RM_ASSERT(!fault->empty());
  if (expected) RM_ASSERT(user.id == expected->id && user.features == expected->features);
  return 0;
}
