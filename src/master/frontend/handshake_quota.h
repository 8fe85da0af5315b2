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
// Memory: a fixed table of 256 KiB. Clients are hashed into it with a secret salt, so that no
//         client can choose to share another one's account.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace ringmaster::master {

class HandshakeQuota {
 public:
  using Account = size_t;

  static constexpr uint64_t kBurstNs = 500'000'000;
  static constexpr uint64_t kShare = 100;          // 1/100 of the time
  static constexpr uint64_t kCompletedShare = 20;  // 1/20 of a completed handshake counts

  explicit HandshakeQuota(std::string salt) : salt_(std::move(salt)), debts_(kAccounts) {}

  Account account_of(const std::string& client) const {
    return std::hash<std::string>()(salt_ + client) % kAccounts;
  }
  bool may_begin(Account account, uint64_t now_ns) const {
    return debt(account, now_ns) < kBurstNs;
  }
  bool may_go_on(Account account, uint64_t now_ns) const {
    return debt(account, now_ns) < 2 * kBurstNs;
  }
  void charge(Account account, uint64_t took_ns, uint64_t now_ns) {
    debts_[account] = {std::min(debt(account, now_ns) + took_ns, 2 * kBurstNs), now_ns};
  }
  void refund(Account account, uint64_t ns, uint64_t now_ns) {
    const uint64_t owed_ns = debt(account, now_ns);
    debts_[account] = {owed_ns - std::min(owed_ns, ns), now_ns};
  }

 private:
  static constexpr size_t kAccounts = 16 << 10;

  struct Debt {
    uint64_t ns = 0;
    uint64_t at_ns = 0;
  };

  // The debt now: it shrinks with time.
  uint64_t debt(Account account, uint64_t now_ns) const {
    const Debt& debt = debts_[account];
    return debt.ns - std::min(debt.ns, (now_ns - debt.at_ns) / kShare);
  }

  const std::string salt_;
  std::vector<Debt> debts_;
};

}  // namespace ringmaster::master
