#include "master/rehearsal/answer_shape.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <utility>

#include "base/json/scan.h"

namespace ringmaster::master {
namespace {

constexpr std::string_view kNames[] = {"null",   "bool",  "number",     "string",
                                       "object", "array", "empty array"};
constexpr size_t kEmptyArray = 6;

constexpr size_t kNameBytesMax = 64;  // of the text that names an element

// The beginning of the text. No character is cut: the service manager takes only valid UTF-8.
std::string_view cut(std::string_view text) {
  size_t size = std::min(text.size(), kNameBytesMax);
  while (size > 0 && size < text.size() && (text[size] & 0xC0) == 0x80)
    --size;
  return text.substr(0, size);
}

AnswerShape::Types bit(size_t type) {
  return static_cast<AnswerShape::Types>(1u << type);
}

class Reader final : public json::Visitor {
 public:
  explicit Reader(AnswerShape& shape) : shape_(shape) {}

  void restart() override {
    shape_ = {};
    values_ = 0;
    containers_.clear();
    at_ = {"result", "result", "result"};
  }
  void key(std::string_view text, size_t) override {
    if (shape_.is_too_large) return;
    const Place& object = containers_.back().place;
    at_ = {fmt::format("{}.{}", object.path, text), fmt::format("{}.{}", object.exact, text),
           fmt::format("{}.{}", object.by_text, text)};
    if (at_.path.size() > AnswerShape::kPathBytesMax) give_up();
  }
  void enter(json::Kind kind, size_t) override {
    if (shape_.is_too_large) return;
    step_in_array();
    if (kind == json::Kind::kObject) add(at_.path, static_cast<size_t>(kind));
    containers_.push_back({at_, kind == json::Kind::kArray});
  }
  void value(const json::Value& value) override {
    if (++values_ > AnswerShape::kValuesMax) give_up();
    if (shape_.is_too_large) return;
    const bool is_container = value.kind == json::Kind::kArray || value.kind == json::Kind::kObject;
    if (is_container) {
      const Container& ended = containers_.back();
      if (ended.is_array)
        add(ended.place.path, ended.items == 0 ? kEmptyArray : static_cast<size_t>(value.kind));
      return containers_.pop_back();
    }
    step_in_array();
    add(at_.path, static_cast<size_t>(value.kind));
    if (value.kind == json::Kind::kString) name_element(value.raw);
    if (value.kind != json::Kind::kNumber) return;
    // Finite, since differences of infinite numbers could not be sorted.
    const double number = std::clamp(std::strtod(value.raw.data(), nullptr), -1e300, 1e300);
    add_number(at_.exact, number);
    if (at_.by_text != at_.exact) add_number(at_.by_text, number);
  }

 private:
  struct Place {
    std::string path;
    std::string exact;
    std::string by_text;
  };
  struct Container {
    Place place;
    bool is_array;
    size_t items = 0;
    bool is_named = false;
  };

  // Call it before a value: finds the place of an element of an array, for which there is no key().
  void step_in_array() {
    if (containers_.empty() || !containers_.back().is_array) return;
    Container& array = containers_.back();
    at_ = {array.place.path + "[]", fmt::format("{}[{}]", array.place.exact, array.items),
           fmt::format("{}[{}]", array.place.by_text, array.items)};
    ++array.items;
  }
  // The first text in an object that is an element names it.
  void name_element(std::string_view text) {
    if (containers_.size() < 2 || containers_.back().is_array) return;
    const Container& array = containers_[containers_.size() - 2];
    Container& object = containers_.back();
    if (!array.is_array || std::exchange(object.is_named, true)) return;
    object.place.by_text = fmt::format("{}[{}]", array.place.by_text, cut(text));
  }
  void add_number(const std::string& path, double number) {
    if (shape_.numbers.size() < AnswerShape::kNumbersMax) shape_.numbers.emplace_back(path, number);
  }
  // Ignores all further values.
  void give_up() {
    shape_.types.clear();
    shape_.is_too_large = true;
  }
  void add(const std::string& path, size_t type) {
    const auto found = shape_.types.find(path);
    if (found != shape_.types.end()) {
      found->second = static_cast<AnswerShape::Types>(found->second | bit(type));
    } else if (shape_.types.size() < AnswerShape::kPathsMax) {
      shape_.types.emplace(path, bit(type));
    } else {
      give_up();
    }
  }

  AnswerShape& shape_;
  size_t values_ = 0;
  std::vector<Container> containers_;
  Place at_;  // of the next value
};

}  // namespace

AnswerShape AnswerShape::of(std::string_view answer) {
  AnswerShape shape;
  shape.is_too_large = answer.size() > kBytesMax;
  if (shape.is_too_large) return shape;
  // strtod() reads a number at the end of the text up to the NUL.
  const std::string text(answer);
  Reader reader(shape);
  if (json::scan(text, reader)) shape = {};
  return shape;
}

std::string describe(AnswerShape::Types types) {
  std::string text;
  for (size_t type = 0; type < std::size(kNames); ++type) {
    if ((types & bit(type)) == 0) continue;
    text += (text.empty() ? "" : " or ") + std::string(kNames[type]);
  }
  return text.empty() ? "nothing" : text;
}

std::vector<ShapeDifference> differences(const AnswerShape& before, const AnswerShape& now) {
  std::vector<ShapeDifference> found;
  if (before.is_too_large || now.is_too_large) return found;
  for (const auto& [path, had] : before.types) {
    const auto its = now.types.find(path);
    const unsigned has = its == now.types.end() ? 0 : its->second;
    if (has == had) continue;
    found.push_back({path, static_cast<AnswerShape::Types>(had & ~has),
                     static_cast<AnswerShape::Types>(has & ~had)});
  }
  return found;
}

}  // namespace ringmaster::master
