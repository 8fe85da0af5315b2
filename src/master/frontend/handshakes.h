// Handshakes: the TLS handshakes under way, and which of them may go on.
//
// Processes: the master only.
// Limits:    HandshakeLoad limits the time of all handshakes. While time is scarce, HandshakeQuota
//            limits each client's time. A handshake whose client has used its quota up is delayed:
//            its connection is not read until the client has credit again, or time is not scarce
//            any more. The delay counts towards the handshake's 10 s. A delayed connection is
//            closed when its client has gone.
// Cost:      a tick checks kLooksPerTick delayed handshakes, in turn, with a system call for each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "master/frontend/handshake_load.h"
#include "master/frontend/handshake_quota.h"
#include "net/connection.h"

namespace ringmaster::master {

class Handshakes {
 public:
  // `on_delayed` is called for each delay.
  explicit Handshakes(std::function<void(const net::Connection&)> on_delayed);

  void begin(net::Connection& connection, const std::string& client);
  // Whether the handshake may go on in this turn. Else it may be delayed: see Connection::delay().
  bool may_go_on(net::Connection& connection, uint64_t now_ns);
  // The handshake took `took_ns` of CPU time. True: it is complete, and forgotten here.
  bool note(net::Connection& connection, uint64_t took_ns, uint64_t now_ns);
  void forget(net::Connection& connection, uint64_t now_ns);

  // Resumes handshakes whose clients have credit again, and some more while the time is not scarce.
  // Call each tick.
  void resume_delayed(uint64_t now_ns);
  void end_turn() { load_.end_turn(); }

 private:
  static constexpr size_t kLooksPerTick = 64;
  // The time that a resumed handshake is charged until its real time is known. Without the charge,
  // a client's credit for one handshake would resume all of them.
  uint64_t advance_ns() const { return std::max(load_.expected_ns(), kNsPerMs); }
  // While the time is not scarce, a tick resumes this many handshakes without credit. Unless one
  // handshake takes a whole turn, this leaves a part of the turn to new handshakes.
  size_t resumed_per_tick() const {
    return std::max<uint64_t>(HandshakeLoad::kTurnNs / advance_ns(), 2) - 1;
  }

  struct Handshake {
    HandshakeQuota::Account account;
    uint64_t spent_ns = 0;
    uint64_t advance_ns = 0;
    bool has_begun = false;
    std::optional<std::list<net::Connection*>::iterator> delayed{};  // its place in delayed_
  };

  bool has_credit(const Handshake& handshake, uint64_t now_ns) const;
  void resume(net::Connection& connection, Handshake& handshake, uint64_t now_ns);
  void give_back_advance(Handshake& handshake, uint64_t now_ns);

  std::function<void(const net::Connection&)> on_delayed_;
  HandshakeQuota quota_;
  std::unordered_map<net::Connection*, Handshake> under_way_;
  std::list<net::Connection*> delayed_;
  HandshakeLoad load_;
};

}  // namespace ringmaster::master
