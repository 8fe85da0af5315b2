// HandshakeLoad: how much of the loop's time the TLS handshakes of all clients take, and whether
// that time is scarce.
//
// After the first handshake of a turn of the loop, another goes on only if all together are
// expected to take less than 5 ms. A handshake is expected to take as long as the longest recent
// one. Without this limit ten thousand handshakes at once would take seconds, with some keys a
// minute; meanwhile the loop would answer no request and send no WATCHDOG=1. Time is scarce for a
// second after a handshake had to wait for the next turn, or after handshakes have taken a quarter
// of the loop's time. Only then does HandshakeQuota apply: an idle server delays no handshake,
// however many come from one address.
//
// Pure: time is an argument.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace ringmaster::master {

class HandshakeLoad {
 public:
  static constexpr uint64_t kTurnNs = 5 * kNsPerMs;
  static constexpr uint64_t kWindowNs = kNsPerS;
  static constexpr uint64_t kWindowShareNs = kWindowNs / 4;  // the part that handshakes may take
  static constexpr uint64_t kScarceNs = kNsPerS;

  // False: the handshake must wait for the next turn of the loop.
  bool may_go_on(uint64_t now_ns) {
    if (turn_ns_ == 0 || turn_ns_ + expected_ns_ < kTurnNs) return true;
    scarce_until_ns_ = now_ns + kScarceNs;
    return false;
  }
  void charge(uint64_t took_ns, uint64_t now_ns) {
    turn_ns_ += took_ns;
    expected_ns_ = std::max(took_ns, expected_ns_ - expected_ns_ / 64);
    if (now_ns >= window_begin_ns_ + kWindowNs) {
      window_begin_ns_ = now_ns;
      window_ns_ = 0;
    }
    window_ns_ += took_ns;
    if (window_ns_ >= kWindowShareNs) scarce_until_ns_ = now_ns + kScarceNs;
  }
  // The longest recent handshake: with an RSA key of 4096 bits it may be as long as a turn.
  uint64_t expected_ns() const { return expected_ns_; }
  void end_turn() { turn_ns_ = 0; }
  bool is_scarce(uint64_t now_ns) const { return now_ns < scarce_until_ns_; }

 private:
  uint64_t expected_ns_ = 0;
  uint64_t turn_ns_ = 0;    // taken by handshakes in this turn of the loop
  uint64_t window_ns_ = 0;  // taken since window_begin_ns_
  uint64_t window_begin_ns_ = 0;
  uint64_t scarce_until_ns_ = 0;
};

}  // namespace ringmaster::master
