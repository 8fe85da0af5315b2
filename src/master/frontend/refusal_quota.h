// RefusalQuota: how many refusals a client gets at once; it gets the others a little later.
//
// A refusal takes the loop 7 us if it comes alone, 1.4 us among thousands. A client that sends each
// refused request again at once gets more than 100,000 refusals a second, and the loop does little
// else. So a client gets 500 refusals at once, and 5,000 a second. Further ones wait for kDelayMs,
// and are sent together with those that have come meanwhile. The server goes on reading the
// client's requests, and runs those that it admits. Over TLS nothing waits: the connection encrypts
// and writes its whole output after each read.
//
// Pure: time is an argument.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "master/frontend/client_debts.h"

namespace ringmaster::master {

class RefusalQuota {
 public:
  using Account = ClientDebts::Account;

  // The queue of an overloaded server is longer than this (see AdmissionControl): no worker becomes
  // idle because clients wait for their refusals.
  static constexpr uint64_t kDelayMs = 4;
  static constexpr uint64_t kBurst = 500;

  explicit RefusalQuota(std::string salt) : debts_(std::move(salt), 1, 2 * kBurst * kRefusalNs) {}

  Account account_of(const std::string& client) const { return debts_.account_of(client); }
  void charge(Account account, uint64_t now_ns) { debts_.charge(account, kRefusalNs, now_ns); }
  bool has_credit(Account account, uint64_t now_ns) const {
    return debts_.debt_ns(account, now_ns) <= kBurst * kRefusalNs;
  }

 private:
  static constexpr uint64_t kRefusalNs = 200'000;  // so that they are 5,000 a second

  ClientDebts debts_;
};

}  // namespace ringmaster::master
