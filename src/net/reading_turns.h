// ReadingTurns: how much of its connections a loop reads in one turn, and in which order.
//
// libuv reads a connection up to 32 times when it is ready, and asks epoll up to 48 times for more
// ready connections, before the loop runs timers and sends answers. So a turn that has read for
// kTurnNs begins no further read.
// Order:   epoll reports the same connections first in each turn. So a turn that leaves ready
//          connections unread continues its round: the next turns read only connections that this
//          round has not read, until none is left.
// Cost:    a turn of the server's loop may spin for results, and so be long. With one read a turn,
//          requests of 200 KB had a third of their rate. So a turn may read a connection again.
// Paused:  one read may bring thousands of messages. If they take the rest of the turn, their
//          connection is paused. The next turn goes on with paused connections for kTurnNs, then
//          reads for kTurnNs.
// Limits:  a turn does not end inside a message, however long its handling takes, but between the
//          requests of a batch that a thread has parsed.
// Pure: time is an argument.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace ringmaster::net {

class ReadingTurns {
 public:
  static constexpr uint64_t kTurnNs = kNsPerMs;

  // Whether to read a ready connection now. `last_round` is the connection's own: 0 before the
  // first call.
  bool may_read(uint64_t& last_round, uint64_t now_ns) {
    const bool was_read = last_round == round_;
    if (was_read && is_catching_up_) return false;
    if (!begun_ns_) begun_ns_ = now_ns;
    if (now_ns >= *begun_ns_ + kTurnNs) {
      if (!was_read) leaves_some_ = true;
      return false;
    }
    last_round = round_;
    return true;
  }

  // Whether the messages that were read already must wait for the next turn.
  bool is_over(uint64_t now_ns) {
    if (!begun_ns_) begun_ns_ = now_ns;
    return now_ns >= *begun_ns_ + kTurnNs;
  }
  // Starts the time again. A turn has kTurnNs twice: first for paused connections, then for
  // connections that it reads.
  void begin_part() { begun_ns_.reset(); }

  // Whether the turn before has left ready connections unread.
  bool is_catching_up() const { return is_catching_up_; }

  void end_turn() {
    begun_ns_.reset();
    is_catching_up_ = std::exchange(leaves_some_, false);
    if (!is_catching_up_) ++round_;
  }

 private:
  uint64_t round_ = 1;
  std::optional<uint64_t> begun_ns_;  // the first read or message of this part of the turn
  bool leaves_some_ = false;          // this turn: connections that this round has not read
  bool is_catching_up_ = false;       // the turn before has left such connections
};

}  // namespace ringmaster::net
