// A buffer for libuv. uv_buf_init() takes an unsigned int: of 4 GiB or more it would send only the
// remainder.
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
