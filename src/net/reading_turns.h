// ReadingTurns: how much the connections of a loop are read in one turn of it, and in which order.
//
// libuv reads a connection up to 32 times when it is ready, and asks epoll up to 48 times for more
// ready connections, before the loop's timers and answers have their turn. So each connection is
// read once in a turn at most, and none once the turn has read for kTurnNs.
// Order:   epoll tells of the same connections first in each turn. So a turn that has no time for
//          all of them begins a round: the next turns read only those that were not read in it,
//          until a turn has had time for all.
// Limits:  a read that has begun is not stopped: its messages may take longer than a turn.
// Pure: time is an argument.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace ringmaster::net {

class ReadingTurns {
 public:
  static constexpr uint64_t kTurnNs = 5 * kNsPerMs;

  // Whether a connection that is ready is read now. `last_round` is the connection's own: 0 before
  // the first call.
  bool may_read(uint64_t& last_round, uint64_t now_ns) {
    if (last_round == round_) return false;
    if (!begun_ns_) begun_ns_ = now_ns;
    if (now_ns >= *begun_ns_ + kTurnNs) {
      had_no_time_ = true;
      return false;
    }
    last_round = round_;
    return true;
  }

  void end_turn() {
    begun_ns_.reset();
    if (!std::exchange(had_no_time_, false)) ++round_;
  }

 private:
  uint64_t round_ = 1;
  std::optional<uint64_t> begun_ns_;  // the first read of this turn
  bool had_no_time_ = false;          // for a connection that was ready
};

}  // namespace ringmaster::net
