#include "rpc/value_end.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <iterator>
#include <random>
#include <string>

using ringmaster::rpc::ValueEnd;
using Found = ValueEnd::Found;

namespace {

struct End {
  Found found = Found::kNothing;
  size_t pos = 0;
  bool operator==(const End&) const = default;
};

// Byte by byte, as the header says it.
End reference(std::string_view text, bool ends_at_line) {
  size_t depth = 0;
  bool is_in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && ends_at_line) return {Found::kLineEnd, i + 1};
    if (is_in_string && text[i] == '\\') {
      if (++i == text.size()) break;
      if (text[i] == '\n' && ends_at_line) return {Found::kLineEnd, i + 1};
    } else if (text[i] == '"') {
      is_in_string = !is_in_string;
    } else if (!is_in_string && (text[i] == '{' || text[i] == '[')) {
      ++depth;
    } else if (!is_in_string && (text[i] == '}' || text[i] == ']') && --depth == 0) {
      return {Found::kEnd, i + 1};
    }
  }
  return {Found::kNothing, text.size()};
}

// Finds the end in pieces of at most `longest` bytes.
End find(std::string_view text, bool ends_at_line, size_t longest, std::mt19937& random) {
  ValueEnd end;
  for (size_t begin = 0; begin < text.size();) {
    const size_t size = std::min<size_t>(1 + random() % longest, text.size() - begin);
    const std::string piece(text.substr(begin, size));  // so that a sanitizer finds reads beyond it
    size_t pos = 0;
    const Found found = end.find(piece, pos, ends_at_line);
    if (found != Found::kNothing) return {found, begin + pos};
    begin += size;
  }
  return {Found::kNothing, text.size()};
}

// Any bytes, which rarely are JSON. Each text has its own mixture: many special bytes end it soon,
// few leave long runs.
std::string any_text(std::mt19937& random) {
  const unsigned plain = 1u << random() % 8;
  std::string text = random() % 2 == 0 ? "{" : "[";
  while (text.size() < 400) {
    constexpr std::string_view kSpecial = "{{[[}]\"\"\\\n";
    const bool is_plain = random() % (plain + 1) > 0;
    text += is_plain ? 'x' : kSpecial[random() % kSpecial.size()];
  }
  return text;
}

// An array of strings with escapes: many of them, or few.
std::string strings(std::mt19937& random) {
  const unsigned plain = 1u << random() % 8;
  std::string text = "[\"";
  while (text.size() < 400) {
    constexpr std::string_view kPieces[] = {"]", "\\\\", "\\\"", "\\\\\",\"", "\",\""};
    const bool is_plain = random() % (plain + 1) > 0;
    text += is_plain ? "x" : kPieces[random() % std::size(kPieces)];
  }
  return text + "\"]";
}

}  // namespace

TEST_CASE("value end: random texts end where a search byte by byte ends") {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    const bool ends_at_line = random() % 2 == 0;
    const std::string text = round % 2 == 0 ? any_text(random) : strings(random);
    const End expected = reference(text, ends_at_line);
    CHECK(find(text, ends_at_line, 400, random) == expected);
    CHECK(find(text, ends_at_line, 100, random) == expected);
  }
}
