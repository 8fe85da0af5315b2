// Reads JSON that is known to be valid, from the grammar alone. Slow and plain on purpose, so that
// it shares no mistake with src/base/json.
#pragma once

#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <string_view>

#include "base/ascii.h"

namespace ringmaster::fuzz {

inline void skip(std::string_view& rest, std::string_view characters) {
  rest.remove_prefix(std::min(rest.find_first_not_of(characters), rest.size()));
}
inline void skip_blanks(std::string_view& rest) {
  skip(rest, " \t\r\n");
}

// Takes the value, or the key, at the front.
inline std::string_view take_value(std::string_view& rest) {
  size_t end = 0;
  if (rest.front() != '"' && rest.front() != '{' && rest.front() != '[') {
    end = std::min(rest.find_first_of(",:]} \t\r\n"), rest.size());
  } else {
    size_t depth = 0;
    bool in_string = false;
    do {
      const char c = rest[end++];
      if (c == '"') in_string = !in_string;
      if (in_string && c == '\\') ++end;
      if (!in_string && (c == '{' || c == '[')) ++depth;
      if (!in_string && (c == '}' || c == ']')) --depth;
    } while (in_string || depth > 0);
  }
  const std::string_view value = rest.substr(0, end);
  rest.remove_prefix(end);
  return value;
}

inline void append_utf8(std::string& out, uint32_t point) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (point >> shift & 0x3f)); };
  const auto head = [&](uint32_t mark, int shift) {
    out += static_cast<char>(mark | point >> shift);
  };
  if (point < 0x80) return head(0, 0);
  if (point < 0x800) return head(0xc0, 6), tail(0);
  if (point < 0x10000) return head(0xe0, 12), tail(6), tail(0);
  head(0xf0, 18), tail(12), tail(6), tail(0);
}

// The text of a string; empty: it has a lone surrogate.
inline std::optional<std::string> text_of(std::string_view quoted) {
  constexpr std::string_view kNames = "bfnrt", kMeanings = "\b\f\n\r\t";
  const auto take_unit = [&] {  // of UTF-16, behind "\u"
    const uint32_t unit = to_number<uint32_t>(quoted.substr(2, 4), 16).value();
    quoted.remove_prefix(6);
    return unit;
  };
  std::string out;
  quoted = quoted.substr(1, quoted.size() - 2);
  while (!quoted.empty()) {
    if (!quoted.starts_with('\\')) {
      out += quoted.front();
      quoted.remove_prefix(1);
    } else if (quoted[1] != 'u') {
      const size_t name = kNames.find(quoted[1]);
      out += name == std::string_view::npos ? quoted[1] : kMeanings[name];
      quoted.remove_prefix(2);
    } else {
      uint32_t point = take_unit();
      if (point >= 0xdc00 && point < 0xe000) return {};
      if (point >= 0xd800 && point < 0xdc00) {
        const uint32_t low = quoted.starts_with("\\u") ? take_unit() : 0;
        if (low < 0xdc00 || low >= 0xe000) return {};
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      }
      append_utf8(out, point);
    }
  }
  return out;
}

// The text as a string.
inline std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || (c >= 0 && c < ' '))
      out += fmt::format("\\u{:04x}", c);
    else
      out += c;
  }
  return out + '"';
}

// The value at a dotted path; empty: there is none. Of duplicate keys the last one counts.
inline std::string_view member_at(std::string_view json, std::string_view path) {
  skip_blanks(json);
  if (path.empty()) return take_value(json);
  if (!json.starts_with('{') && !json.starts_with('[')) return {};
  const std::string_view part = path.substr(0, path.find('.'));
  path.remove_prefix(std::min(part.size() + 1, path.size()));
  const bool is_object = json.starts_with('{');
  json.remove_prefix(1);
  std::string_view found;
  for (size_t index = 0;; ++index) {
    skip(json, " \t\r\n,");
    if (json.starts_with('}') || json.starts_with(']')) break;
    const bool is_named = is_object && text_of(take_value(json)) == part;
    skip(json, " \t\r\n:");
    const std::string_view value = take_value(json);
    if (is_named || (!is_object && part == std::to_string(index))) found = value;
  }
  return found.empty() ? found : member_at(found, path);
}

}  // namespace ringmaster::fuzz
