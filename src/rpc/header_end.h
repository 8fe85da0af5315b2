// HeaderEnd: finds the empty line at the end of Content-Length headers, as their bytes come in. LF
// without CR ends a line, too.
//
// Pure: reads each byte once. Limits: headers of at most kHeaderBytesMax.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace ringmaster::rpc {

inline constexpr size_t kHeaderBytesMax = 4 << 10;

class HeaderEnd {
 public:
  // `line_bytes`: bytes of the first line that were read already.
  explicit HeaderEnd(size_t line_bytes = 0) : line_bytes_(line_bytes) {}

  // Searches from `pos`. Moves `pos` behind the empty line, or to the end of the input.
  bool find(std::string_view input, size_t& pos) {
    while (pos < input.size()) {
      if (is_end(input[pos++])) return true;
    }
    return false;
  }

 private:
  bool is_end(char c) {
    if (c == '\n') return std::exchange(line_bytes_, 0) == 0;
    if (c != '\r') ++line_bytes_;
    return false;
  }

  size_t line_bytes_;
};

}  // namespace ringmaster::rpc
