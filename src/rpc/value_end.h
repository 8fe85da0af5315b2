// ValueEnd: looks for the end of a JSON value that began with a bracket, as its bytes come in.
//
// It knows brackets, strings and escapes, no more: whether the value is JSON its parse will say.
// Pure: each byte is looked at once.
#pragma once

#include <cstddef>
#include <string_view>

namespace ringmaster::rpc {

class ValueEnd {
 public:
  enum class Found { kNothing, kEnd, kLineEnd };

  // Looks on from `pos`, which it moves: behind the value's last byte; behind the first line end in
  // the value, where `ends_at_line`; or to the end of the input.
  Found find(std::string_view input, size_t& pos, bool ends_at_line);

 private:
  size_t depth_ = 0;
  bool is_in_string_ = false;
  bool is_escaped_ = false;
};

inline bool opens_value(char c) {
  return c == '{' || c == '[';
}

}  // namespace ringmaster::rpc
