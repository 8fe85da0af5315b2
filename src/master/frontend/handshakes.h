// Handshakes: those of TLS that are under way, and whose turn it is.
//
// Processes: the master only.
// Limits:    all together HandshakeLoad; while their time is scarce, those of one client its
//            HandshakeQuota. A handshake whose client has used that up is delayed: its connection
//            is not read until there is credit again, or until the time is not scarce any more. The
//            delay counts: a handshake may take 10 s, as without one. A delayed connection is
//            closed when its client has gone.
// Cost:      a tick looks at kLooksPerTick of those that are delayed, in turn, with a system call
//            for each.
#pragma once

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
  // Told of each delay.
  explicit Handshakes(std::function<void(const net::Connection&)> on_delayed);

  void begin(net::Connection& connection, const std::string& client);
  // Whether it may take more of this turn. It may be delayed: see Connection::delay().
  bool may_go_on(net::Connection& connection, uint64_t now_ns);
  // It took so much CPU time. True: it has been completed, and is not under way any more.
  bool note(net::Connection& connection, uint64_t took_ns, uint64_t now_ns);
  void forget(net::Connection& connection, uint64_t now_ns);

  // Lets those go on whose clients have credit again, and some more while the time is not scarce.
  // To be called now and then.
  void resume_delayed(uint64_t now_ns);
  void end_turn() { load_.end_turn(); }

 private:
  static constexpr size_t kLooksPerTick = 64;
  // What a handshake is charged when it is resumed, until it is known what it took: else all that
  // are delayed would be resumed for the credit of one.
  static constexpr uint64_t kAdvanceNs = kNsPerMs;
  // While the time is not scarce, a tick resumes so many without credit: their advances leave a
  // part of the turn to those that are new.
  static constexpr size_t kResumedPerTick = HandshakeLoad::kTurnNs / kAdvanceNs - 1;

  struct Handshake {
    HandshakeQuota::Account account;
    uint64_t spent_ns = 0;
    uint64_t advance_ns = 0;
    bool has_begun = false;
    std::optional<std::list<net::Connection*>::iterator> delayed{};  // its place there
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
