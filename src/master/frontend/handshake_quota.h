// HandshakeQuota: how much of the loop's time the TLS handshakes of one client may take.
//
// A handshake costs the server a key exchange and a signature. It costs a client that stops after
// its hello nearly nothing. So while the time is scarce (see HandshakeLoad) each client may take
// 1 % of the loop's time, and 500 ms at once. A completed handshake has cost the client as much as
// the server, so only a twentieth of it counts, which allows 20 % of the time. A handshake that has
// begun may exceed the quota by another 500 ms, so that it can be completed. A client's debt is at
// most 1 s, twice 500 ms, however long its handshakes took while the time was not scarce.
//
// Pure: time is an argument.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "master/frontend/client_debts.h"

namespace ringmaster::master {

class HandshakeQuota {
 public:
  using Account = ClientDebts::Account;

  static constexpr uint64_t kBurstNs = 500'000'000;
  static constexpr uint64_t kShare = 100;          // 1/100 of the time
  static constexpr uint64_t kCompletedShare = 20;  // 1/20 of a completed handshake counts

  explicit HandshakeQuota(std::string salt) : debts_(std::move(salt), kShare, 2 * kBurstNs) {}

  Account account_of(const std::string& client) const { return debts_.account_of(client); }
  bool may_begin(Account account, uint64_t now_ns) const {
    return debts_.debt_ns(account, now_ns) < kBurstNs;
  }
  bool may_go_on(Account account, uint64_t now_ns) const {
    return debts_.debt_ns(account, now_ns) < 2 * kBurstNs;
  }
  void charge(Account account, uint64_t took_ns, uint64_t now_ns) {
    debts_.charge(account, took_ns, now_ns);
  }
  void refund(Account account, uint64_t ns, uint64_t now_ns) { debts_.refund(account, ns, now_ns); }

 private:
  ClientDebts debts_;
};

}  // namespace ringmaster::master
