// ClientDebts: how much of the loop's time each client has taken beyond its due. A debt shrinks
// as time goes by.
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

class ClientDebts {
 public:
  using Account = size_t;

  // A debt is `max_ns` at most, and shrinks by 1 ns in each `share` ns.
  ClientDebts(std::string salt, uint64_t share, uint64_t max_ns)
      : salt_(std::move(salt)), share_(share), max_ns_(max_ns), debts_(kAccounts) {}

  Account account_of(const std::string& client) const {
    return std::hash<std::string>()(salt_ + client) % kAccounts;
  }
  uint64_t debt_ns(Account account, uint64_t now_ns) const {
    const Debt& debt = debts_[account];
    return debt.ns - std::min(debt.ns, (now_ns - debt.at_ns) / share_);
  }
  void charge(Account account, uint64_t took_ns, uint64_t now_ns) {
    debts_[account] = {std::min(debt_ns(account, now_ns) + took_ns, max_ns_), now_ns};
  }
  void refund(Account account, uint64_t ns, uint64_t now_ns) {
    const uint64_t owed_ns = debt_ns(account, now_ns);
    debts_[account] = {owed_ns - std::min(owed_ns, ns), now_ns};
  }

 private:
  static constexpr size_t kAccounts = 16 << 10;

  struct Debt {
    uint64_t ns = 0;
    uint64_t at_ns = 0;
  };

  const std::string salt_;
  const uint64_t share_;
  const uint64_t max_ns_;
  std::vector<Debt> debts_;
};

// For ClientDebts.
std::string random_salt();

}  // namespace ringmaster::master
