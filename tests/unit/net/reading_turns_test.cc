#include "net/reading_turns.h"

#include <array>
#include <doctest/doctest.h>
#include <string>

namespace ringmaster::net {
namespace {

constexpr size_t kConnections = 5;

// Turns in which all connections are ready and asked in the same order, as libuv does. turn()
// returns the connections that are read if each read takes `read_ns`.
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

TEST_CASE("reading turns: connections that a turn leaves are read next, once each") {
  AllReady all;
  CHECK(all.turn(ReadingTurns::kTurnNs * 2 / 5) == "aaa");
  CHECK(all.turn(ReadingTurns::kTurnNs * 2 / 5) == "bcd");
  CHECK(all.turn(ReadingTurns::kTurnNs * 2 / 5) == "e");
  CHECK(all.turn(100 * kNsPerMs) == "a");
  CHECK(all.turn(100 * kNsPerMs) == "b");
  CHECK(all.turn(0) == "cde");
  CHECK(all.turn(0) == "aaabbbcccdddeee");
}

TEST_CASE("reading turns: turns catch up with unread connections until the round ends") {
  ReadingTurns turns;
  uint64_t first = 0;
  uint64_t second = 0;
  CHECK(turns.may_read(first, kNsPerS));
  CHECK(!turns.may_read(second, kNsPerS + ReadingTurns::kTurnNs));
  CHECK(!turns.is_catching_up());
  turns.end_turn();
  CHECK(turns.is_catching_up());
  CHECK(turns.may_read(second, 2 * kNsPerS));
  turns.end_turn();
  CHECK(!turns.is_catching_up());
}

TEST_CASE("reading turns: the time of paused connections is apart from the time for reads") {
  ReadingTurns turns;
  uint64_t round = 0;
  CHECK(!turns.is_over(kNsPerS));
  CHECK(turns.is_over(kNsPerS + ReadingTurns::kTurnNs));
  turns.begin_part();
  CHECK(turns.may_read(round, kNsPerS + ReadingTurns::kTurnNs));
  CHECK(!turns.may_read(round, kNsPerS + 2 * ReadingTurns::kTurnNs));
  CHECK(turns.is_over(kNsPerS + 2 * ReadingTurns::kTurnNs));
}

}  // namespace ringmaster::net
