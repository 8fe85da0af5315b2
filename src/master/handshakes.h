// Handshakes: those of TLS that are under way, and whose turn it is.
//
// Processes: the master only.
// Limits:    all together 5 ms of each turn of the loop; those of one client its HandshakeQuota. A
//            handshake whose client has used that up is delayed: its connection is not read until
//            there is credit again. The delay counts: a handshake may take 10 s, as without one.
// Cost:      a tick looks at kLooksPerTick of those that are delayed, in turn.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>

#include "master/handshake_quota.h"
#include "net/connection.h"

namespace ringmaster::master {

class Handshakes {
 public:
  // Told of each delay.
  explicit Handshakes(std::function<void(const net::Connection&)> on_delayed);

  void begin(net::Connection& connection, const std::string& client);
  // Whether it may take more of this turn. It may be delayed: see Connection::delay().
  bool may_go_on(net::Connection& connection, uint64_t now_ns);
  // It took so long. True: it has been completed, and is not under way any more.
  bool note(net::Connection& connection, uint64_t took_ns, uint64_t now_ns);
  void forget(net::Connection& connection, uint64_t now_ns);

  // Lets those go on whose clients have credit again. To be called now and then.
  void resume_delayed(uint64_t now_ns);
  void end_turn() { turn_ns_ = 0; }

 private:
  static constexpr size_t kLooksPerTick = 64;
  // What a handshake is charged when it is resumed, until it is known what it took: else all that
  // are delayed would be resumed for the credit of one.
  static constexpr uint64_t kAdvanceNs = 1'000'000;

  struct Handshake {
    HandshakeQuota::Account account;
    uint64_t spent_ns = 0;
    uint64_t advance_ns = 0;
    bool has_begun = false;
    bool is_delayed = false;
  };

  bool has_credit(const Handshake& handshake, uint64_t now_ns) const;
  void give_back_advance(Handshake& handshake, uint64_t now_ns);

  std::function<void(const net::Connection&)> on_delayed_;
  HandshakeQuota quota_;
  std::unordered_map<net::Connection*, Handshake> under_way_;
  std::deque<net::Connection*> delayed_;  // some are not any more: under_way_ knows
  uint64_t turn_ns_ = 0;                  // that handshakes have taken in this turn of the loop
};

}  // namespace ringmaster::master
