// HeaderEnd: looks for the end of what tells a message's length, as its bytes come in: the colon of
// a netstring, the empty line behind headers (a line end alone ends a line, too).
//
// Pure: each byte is looked at once. Limits: of what it ends, so much: see header_bytes_max().
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "rpc/framing.h"

namespace ringmaster::rpc {

// Twenty digits are more than any length has.
constexpr size_t header_bytes_max(Framing framing) {
  return framing == Framing::kNetstring ? 20 : 4 << 10;
}

class HeaderEnd {
 public:
  // `framing`: kNetstring or kContentLength. `line_bytes`: of the first line, seen already.
  explicit HeaderEnd(Framing framing = Framing::kContentLength, size_t line_bytes = 0)
      : framing_(framing), line_bytes_(line_bytes) {}

  // Looks on from `pos`, which it moves: behind the end, or to the end of the input. What is no
  // digit ends a netstring's, too: whoever reads the number will see.
  bool find(std::string_view input, size_t& pos) {
    while (pos < input.size()) {
      if (is_end(input[pos++])) return true;
    }
    return false;
  }

 private:
  bool is_end(char c) {
    if (framing_ == Framing::kNetstring) return c < '0' || c > '9';
    if (c == '\n') return std::exchange(line_bytes_, 0) == 0;
    if (c != '\r') ++line_bytes_;
    return false;
  }

  Framing framing_;
  size_t line_bytes_;
};

}  // namespace ringmaster::rpc
