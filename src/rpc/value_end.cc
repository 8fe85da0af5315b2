#include "rpc/value_end.h"

#include <array>

#include "base/json/find_byte.h"

namespace ringmaster::rpc {
namespace {

// Bytes outside of strings that the search for a value's end ignores. They come in short runs, for
// which a table is faster than find_byte().
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  plain.fill(true);
  for (const char c : {'"', '{', '}', '[', ']', '\n'})
    plain[static_cast<size_t>(c)] = false;
  return plain;
}();

// The first byte that matters to the search, in a string or outside.
const char* find_special(const char* at, const char* end, bool is_in_string) {
  if (is_in_string) {
    return find_byte(at, end, [](auto c) { return c == '"' || c == '\\' || c == '\n'; });
  }
  while (at != end && kPlain[static_cast<unsigned char>(*at)])
    ++at;
  return at;
}

bool closes(char c) {
  return c == '}' || c == ']';
}

}  // namespace

ValueEnd::Found ValueEnd::find(std::string_view input, size_t& pos, bool ends_at_line) {
  while (pos < input.size()) {
    if (!is_escaped_) {
      const char* const end = input.data() + input.size();
      pos =
          static_cast<size_t>(find_special(input.data() + pos, end, is_in_string_) - input.data());
      if (pos == input.size()) break;
    }
    const char c = input[pos++];
    if (c == '\n' && ends_at_line) return Found::kLineEnd;
    if (is_escaped_) {
      is_escaped_ = false;
    } else if (c == '"') {
      is_in_string_ = !is_in_string_;
    } else if (is_in_string_) {
      is_escaped_ = c == '\\';
    } else if (opens_value(c)) {
      ++depth_;
    } else if (closes(c) && --depth_ == 0) {
      return Found::kEnd;
    }
  }
  return Found::kNothing;
}

}  // namespace ringmaster::rpc
