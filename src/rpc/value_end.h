// ValueEnd: finds the end of a JSON value that began with a bracket, as its bytes come in.
//
// It reads only brackets, strings and escapes; the parser checks that the value is JSON.
// Pure: reads each byte once, on x86-64 in blocks of 64 bytes.
#pragma once

#include <cstddef>
#include <string_view>

namespace ringmaster::rpc {

class ValueEnd {
 public:
  enum class Found { kNothing, kEnd, kLineEnd };

  // Searches from `pos`, and moves `pos` behind the value's last byte, or to the end of the input.
  // With `ends_at_line` the search stops behind the first line end in the value.
  Found find(std::string_view input, size_t& pos, bool ends_at_line);

  static constexpr size_t kBlockBytes = 64;

 private:
  Found find_in_blocks(std::string_view input, size_t& pos, bool ends_at_line);
  Found find_by_bytes(std::string_view input, size_t& pos, bool ends_at_line);

  size_t depth_ = 0;
  bool is_in_string_ = false;
  bool is_escaped_ = false;
};

inline bool opens_value(char c) {
  return c == '{' || c == '[';
}

}  // namespace ringmaster::rpc
