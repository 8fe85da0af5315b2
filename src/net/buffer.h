// A buffer for libuv. uv_buf_init() takes its size as an unsigned int: of an output of 4 GiB and
// more it would send only the remainder.
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
