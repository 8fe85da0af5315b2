#include "base/json/mask.h"

#include <cstddef>
#include <optional>

namespace ringmaster::json {
namespace {

constexpr std::string_view kReplacement = "\\ufffd";
constexpr size_t kEscapeBytes = kReplacement.size();
// The shortest number beyond a double is 9e308.
constexpr size_t kShortestTooBig = 5;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_in_number(char c) {
  return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

size_t count_digits(std::string_view text) {
  size_t count = 0;
  while (count < text.size() && is_digit(text[count]))
    ++count;
  return count;
}

// Removes the digits at the front. False: there is none.
bool take_digits(std::string_view& text) {
  const size_t count = count_digits(text);
  text.remove_prefix(count);
  return count > 0;
}

bool take_one_of(std::string_view& text, std::string_view characters) {
  if (text.empty() || characters.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// RFC 8259: [ minus ] int [ frac ] [ exp ]
bool is_number(std::string_view text) {
  take_one_of(text, "-");
  if (!take_one_of(text, "0") && !take_digits(text)) return false;
  if (take_one_of(text, ".") && !take_digits(text)) return false;
  if (take_one_of(text, "eE")) {
    take_one_of(text, "+-");
    if (!take_digits(text)) return false;
  }
  return text.empty();
}

// The code unit of the \uXXXX escape at `at`, if there is one.
std::optional<unsigned> code_unit(std::string_view text, size_t at) {
  if (text.size() < at + kEscapeBytes || text[at] != '\\' || text[at + 1] != 'u') return {};
  unsigned unit = 0;
  for (const char c : text.substr(at + 2, 4)) {
    unit <<= 4;
    if (is_digit(c)) {
      unit |= static_cast<unsigned>(c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      unit |= static_cast<unsigned>((c | 0x20) - 'a' + 10);
    } else {
      return {};
    }
  }
  return unit;
}

bool is_high(std::optional<unsigned> unit) {
  return unit && *unit >= 0xD800 && *unit <= 0xDBFF;
}

bool is_low(std::optional<unsigned> unit) {
  return unit && *unit >= 0xDC00 && *unit <= 0xDFFF;
}

// Masks the escape at `at`; returns its length.
size_t mask_escape(std::string& text, size_t at) {
  const auto unit = code_unit(text, at);
  if (is_high(unit) && is_low(code_unit(text, at + kEscapeBytes))) return 2 * kEscapeBytes;
  if (!is_high(unit) && !is_low(unit)) return 2;
  text.replace(at, kEscapeBytes, kReplacement);
  return kEscapeBytes;
}

// Masks the number-like text at `at`; returns its length. Masks all of it or nothing: to mask only
// the 1e4001 of 1e4001e400 would leave 0.0000e400, a valid number.
size_t mask_number(std::string& text, size_t at) {
  size_t end = at;
  while (end < text.size() && is_in_number(text[end]))
    ++end;
  const size_t length = end - at;
  if (length >= kShortestTooBig && is_number(std::string_view(text).substr(at, length))) {
    text.replace(at, length, length, '0');
    text[at + 1] = '.';
  }
  return length;
}

}  // namespace

std::string mask(std::string_view text) {
  std::string masked(text);
  bool in_string = false;
  for (size_t at = 0; at < masked.size();) {
    const char c = masked[at];
    if (in_string && c == '\\') {
      at += mask_escape(masked, at);
    } else if (!in_string && (is_digit(c) || c == '-')) {
      at += mask_number(masked, at);
    } else {
      if (c == '"') in_string = !in_string;
      ++at;
    }
  }
  return masked;
}

}  // namespace ringmaster::json
