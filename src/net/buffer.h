// A buffer for libuv, also one of 4 GiB or more: uv_buf_init() takes the size as an unsigned int,
// which would keep only the remainder of such a size.
#pragma once

#include <cstddef>
#include <uv.h>

namespace ringmaster::net {

inline uv_buf_t make_buffer(char* bytes, size_t size) {
  uv_buf_t buffer{};
  buffer.base = bytes;
  buffer.len = size;
  return buffer;
}

}  // namespace ringmaster::net
