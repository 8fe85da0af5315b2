#include "base/byte_buffer.h"

#include <doctest/doctest.h>

namespace ringmaster {

TEST_CASE("byte buffer: clear frees the memory only if it is more than may be kept") {
  ByteBuffer buffer;
  buffer.reserve(100);
  buffer.append("abc");
  CHECK(buffer.view() == "abc");
  buffer.clear(100);
  CHECK(buffer.is_empty());
  CHECK(buffer.capacity() == 100);
  buffer.reserve(101);
  buffer.clear(100);
  CHECK(buffer.capacity() == 0);
}

}  // namespace ringmaster
