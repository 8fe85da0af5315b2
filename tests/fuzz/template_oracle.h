// TemplateOracle: a second opinion on what templates mean (docs/configuration.md), written from
// their description alone. Slow and plain on purpose.
//
// REQUIRES: the server has accepted the template. What it should have refused breaks an RM_ASSERT.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/json/scan.h"
#include "fuzz.h"
#include "json_oracle.h"
#include "plain_json.h"

namespace ringmaster::fuzz {

inline bool is_control(char c) {
  return (c >= 0 && c < ' ') || c == 0x7f;
}

inline std::string percent_encoded_plainly(std::string_view text) {
  constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

class TemplateOracle {
 public:
  using Text = std::optional<std::string>;  // empty: the server must refuse the values
  // The JSON value that "SOURCE.PATH" names; empty: it is missing.
  using Find = std::function<std::string_view(std::string_view name)>;

  explicit TemplateOracle(Find find) : find_(std::move(find)) {}

  Text path(std::string_view text) const {
    return render(
        text, [](std::string_view literal) { return std::string(literal); },
        [](const std::string& value) {
          const bool is_part = !value.empty() && value != "." && value != "..";
          return is_part ? Text(percent_encoded_plainly(value)) : std::nullopt;
        });
  }
  Text query(std::string_view text) const {
    return render(text, percent_encoded_plainly,
                  [](const std::string& value) { return Text(percent_encoded_plainly(value)); });
  }
  Text header(std::string_view text) const {
    return render(
        text, [](std::string_view literal) { return std::string(literal); },
        [](const std::string& value) {
          return std::ranges::any_of(value, is_control) ? std::nullopt : Text(value);
        });
  }
  // In the form of canonical().
  Text body(std::string_view json) const {
    bool is_refused = false;
    const std::string made = canonical(json, [&](const std::string& text) {
      const Text value = value_in_body(text);
      is_refused |= !value;
      return value.value_or("");
    });
    return is_refused ? std::nullopt : Text(made);
  }

  // Valid JSON without blanks, and with the same escapes for the same string. see(text) returns
  // what takes the place of a string that may be a template: it is no key, it has a "$" that is
  // not escaped, and it is Unicode.
  static std::string canonical(std::string_view json,
                               const std::function<std::string(const std::string&)>& see = quoted) {
    std::string out;
    for (skip_blanks(json); !json.empty(); skip_blanks(json)) {
      if (!json.starts_with('"')) {
        out += json.front();
        json.remove_prefix(1);
        continue;
      }
      const std::string_view raw = take_value(json);
      const std::optional<std::string> text = text_of(raw);
      skip_blanks(json);
      const bool is_template = !json.starts_with(':') && raw.find('$') != std::string_view::npos;
      out += !text ? std::string(raw) : is_template ? see(*text) : quoted(*text);
    }
    return out;
  }

 private:
  Text value_in_body(const std::string& text) const {
    if (text.starts_with("${") && text.find('}') == text.size() - 1) {
      const std::string value = value_of(text.substr(2, text.size() - 3), false);
      return value.empty() ? std::nullopt : Text(canonical(value));
    }
    const Text made = render(
        text, [](std::string_view literal) { return std::string(literal); },
        [](const std::string& value) { return Text(value); });
    return made ? Text(quoted(*made)) : std::nullopt;
  }

  // `inside`: what is between "${" and "}". Empty: the value is missing.
  std::string value_of(std::string_view inside, bool is_in_text) const {
    const size_t colon = inside.find(':');
    const std::string_view found = find_(inside.substr(0, colon));
    if (!found.empty() && !(is_in_text && found == "null")) return std::string(found);
    if (colon == std::string_view::npos) return "";
    std::string_view fallback = inside.substr(colon + 1);
    RM_ASSERT(fallback.find('{') == std::string_view::npos);
    if (!JsonOracle::is_json(fallback, json::kMaxDepth)) return quoted(fallback);
    skip_blanks(fallback);
    return std::string(take_value(fallback));
  }

  template <class OfLiteral, class OfValue>
  Text render(std::string_view text, OfLiteral of_literal, OfValue of_value) const {
    std::string out;
    while (!text.empty()) {
      size_t size = 1;
      if (!text.starts_with('$')) {
        out += of_literal(text.substr(0, size));
      } else if (size = 2; text.starts_with("$$")) {
        out += of_literal("$");
      } else {
        size = text.find('}') + 1;
        RM_ASSERT(text.starts_with("${") && size > 0);
        const std::string json = value_of(text.substr(2, size - 3), true);
        if (json.empty() || json.starts_with('{') || json.starts_with('[')) return {};
        const Text value = json.starts_with('"') ? text_of(json) : json;
        const Text made = value ? of_value(*value) : std::nullopt;
        if (!made) return {};
        out += *made;
      }
      text.remove_prefix(size);
    }
    return out;
  }

  const Find find_;
};

}  // namespace ringmaster::fuzz
