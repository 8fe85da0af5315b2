// append_utf8(): appends a code point as UTF-8, a surrogate as three bytes.
#pragma once

#include <cstdint>
#include <string>

namespace ringmaster::python {

inline void append_utf8(std::string& text, uint32_t point) {
  if (point < 0x80) {
    text += static_cast<char>(point);
    return;
  }
  const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(kLead[more] | (point >> (6 * more)));
  for (int left = more - 1; left >= 0; --left)
    text += static_cast<char>(0x80 | ((point >> (6 * left)) & 0x3F));
}

}  // namespace ringmaster::python
