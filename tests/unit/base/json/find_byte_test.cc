#include "base/json/find_byte.h"

#include <doctest/doctest.h>
#include <string>

#include "guarded_memory.h"

namespace ringmaster {
namespace {

const auto kIsSpecial = [](auto c) { return c < 0x20 || c == '"' || c == '\\'; };

}  // namespace

TEST_CASE("find byte: finds the first wanted byte, wherever it stands") {
  for (const char special : {'"', '\\', '\n', '\0', '\x1f', '\x80', '\xff'}) {
    for (size_t at = 0; at < 70; ++at) {
      std::string text(70, 'x');
      text[at] = special;
      text.back() = '"';
      const char* const begin = text.data();
      CHECK(find_byte(begin, begin + text.size(), kIsSpecial) == begin + at);
    }
  }
}

TEST_CASE("find byte: finds no byte in a text without one, and reads nothing outside of it") {
  test::GuardedMemory memory(4096);
  const std::span<std::byte> bytes = memory.bytes();
  std::fill(bytes.begin(), bytes.end(), std::byte{'x'});
  const char* const end = reinterpret_cast<const char*>(bytes.data() + bytes.size());
  for (size_t size = 0; size < 70; ++size)
    CHECK(find_byte(end - size, end, kIsSpecial) == end);
}

}  // namespace ringmaster
