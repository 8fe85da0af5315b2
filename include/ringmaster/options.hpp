// Options: a handler's section of the configuration, read key by key in its constructor.
//
//   explicit Interests(ringmaster::Options& options)
//       : model_(options.text("model")), limit_(options.number("limit", 17, 1, 17)) {}
//
// Every key that the constructor reads is known; any other key in the section is refused after the
// constructor has returned. Valid during the constructor only.
//
// Errors: std::invalid_argument that names the key, what was expected and what was found. Do not
//         catch it: its text becomes the reason why the handler was not loaded.
#pragma once

#include <charconv>
#include <concepts>
#include <ringmaster/handler.h>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ringmaster {

class Options {
 public:
  explicit Options(std::span<const rm_option> given) : given_(given) {}

  // A required text. `model`, and keys that end in `_file`, are absolute paths.
  std::string text(std::string_view key) {
    if (const char* value = find(key)) return value;
    std::string given;
    for (const rm_option& option : given_)
      append(given, option.key);
    throw std::invalid_argument("option \"" + std::string(key) +
                                "\" is missing; given: " + (given.empty() ? "none" : given));
  }

  // A text, or `fallback` where the key is not given.
  std::string text(std::string_view key, std::string_view fallback) {
    const char* value = find(key);
    return value != nullptr ? value : std::string(fallback);
  }

  // A number from `min` to `max`, both included; `fallback` where the key is not given. The type of
  // `fallback` decides whether fractions are accepted.
  template <class Number>
  requires((std::integral<Number> && !std::same_as<Number, bool>) ||
           std::floating_point<Number>) Number
      number(std::string_view key, Number fallback, std::type_identity_t<Number> min,
             std::type_identity_t<Number> max) {
    const char* value = find(key);
    if (value == nullptr) return fallback;
    const std::string_view text(value);
    const char* end = text.data() + text.size();
    Number number{};
    const auto [stop, fault] = std::from_chars(text.data(), end, number);
    if (fault == std::errc() && stop == end && min <= number && number <= max) return number;
    refuse(key,
           (std::integral<Number> ? "a whole number from " : "a number from ") + print(min) +
               " to " + print(max),
           text);
  }

  // true or false; `fallback` where the key is not given.
  bool flag(std::string_view key, bool fallback) {
    const char* value = find(key);
    if (value == nullptr) return fallback;
    const std::string_view text(value);
    if (text != "true" && text != "false") refuse(key, "true or false", text);
    return text == "true";
  }

  // For further checks of an option: throws an error like the ones of this class.
  [[noreturn]] void refuse(std::string_view key, const std::string& expected,
                           std::string_view found) const {
    throw std::invalid_argument("option \"" + std::string(key) + "\": expected " + expected +
                                ", found \"" + std::string(found) + "\"");
  }

  // handler.hpp calls this once the constructor has returned. Throws if the section has a key that
  // the constructor did not read; the error names that key and the known ones.
  void refuse_unknown() const {
    std::string known;
    for (const std::string& key : asked_)
      append(known, key);
    for (const rm_option& option : given_) {
      if (was_asked(option.key)) continue;
      throw std::invalid_argument("unknown option \"" + std::string(option.key) +
                                  "\"; known: " + (known.empty() ? "none" : known));
    }
  }

 private:
  const char* find(std::string_view key) {
    if (!was_asked(key)) asked_.emplace_back(key);
    for (const rm_option& option : given_) {
      if (option.key == key) return option.value;
    }
    return nullptr;
  }

  bool was_asked(std::string_view key) const {
    for (const std::string& asked : asked_) {
      if (asked == key) return true;
    }
    return false;
  }

  static void append(std::string& list, std::string_view word) {
    if (!list.empty()) list += ", ";
    list += word;
  }

  template <class Number>
  static std::string print(Number number) {
    char text[64];
    return {text, std::to_chars(text, text + sizeof text, number).ptr};
  }

  std::span<const rm_option> given_;
  std::vector<std::string> asked_;
};

}  // namespace ringmaster
