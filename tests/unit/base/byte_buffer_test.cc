#include "base/byte_buffer.h"

#include <doctest/doctest.h>

namespace ringmaster {

TEST_CASE("byte buffer: clear gives back memory beyond what may be kept, and no other") {
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
