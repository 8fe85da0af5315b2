#include "net/reading_turns.h"

#include <array>
#include <doctest/doctest.h>
#include <string>

namespace ringmaster::net {
namespace {

constexpr size_t kConnections = 5;

// A turn in which all connections are ready, asked in the same order: which are read, if each read
// takes so long.
class AllReady {
 public:
  std::string turn(uint64_t read_ns) {
    std::string read;
    for (size_t asked = 0; asked < 3 * kConnections; ++asked) {  // as libuv does
      const size_t one = asked % kConnections;
      if (!turns_.may_read(last_rounds_[one], now_ns_)) continue;
      read += static_cast<char>('a' + one);
      now_ns_ += read_ns;
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

TEST_CASE("reading turns: a turn with time for all reads each once") {
  AllReady all;
  CHECK(all.turn(0) == "abcde");
  CHECK(all.turn(kNsPerMs) == "abcde");
  CHECK(all.turn(0) == "abcde");
}

TEST_CASE("reading turns: a turn ends after 5 ms, and the next one goes on behind it") {
  AllReady all;
  CHECK(all.turn(2 * kNsPerMs) == "abc");
  CHECK(all.turn(2 * kNsPerMs) == "de");
  CHECK(all.turn(100 * kNsPerMs) == "a");
  CHECK(all.turn(100 * kNsPerMs) == "b");
  CHECK(all.turn(0) == "cde");
  CHECK(all.turn(0) == "abcde");
}

}  // namespace ringmaster::net
