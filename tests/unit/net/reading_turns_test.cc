#include "net/reading_turns.h"

#include <array>
#include <doctest/doctest.h>
#include <string>

namespace ringmaster::net {
namespace {

constexpr size_t kConnections = 5;

// Turns in which all connections are ready and asked in the same order, as libuv does. turn()
// returns those that are read, if each read takes so long.
class AllReady {
 public:
  std::string turn(uint64_t read_ns) {
    std::string read;
    for (size_t one = 0; one < kConnections; ++one) {
      for (size_t asked = 0; asked < 3; ++asked) {
        if (!turns_.may_read(last_rounds_[one], now_ns_)) break;
        read += static_cast<char>('a' + one);
        now_ns_ += read_ns;
      }
    }
    turns_.end_turn();
    return read;
  }

 private:
  ReadingTurns turns_;
  std::array<uint64_t, kConnections> last_rounds_{};
  uint64_t now_ns_ = kNsPerS;
};

}  // namespace

TEST_CASE("reading turns: a turn with time for all reads all") {
  AllReady all;
  CHECK(all.turn(0) == "aaabbbcccdddeee");
  CHECK(all.turn(0) == "aaabbbcccdddeee");
}

TEST_CASE("reading turns: those that a turn of 5 ms leaves are read next, once each") {
  AllReady all;
  CHECK(all.turn(2 * kNsPerMs) == "aaa");
  CHECK(all.turn(2 * kNsPerMs) == "bcd");
  CHECK(all.turn(2 * kNsPerMs) == "e");
  CHECK(all.turn(100 * kNsPerMs) == "a");
  CHECK(all.turn(100 * kNsPerMs) == "b");
  CHECK(all.turn(0) == "cde");
  CHECK(all.turn(0) == "aaabbbcccdddeee");
}

}  // namespace ringmaster::net
