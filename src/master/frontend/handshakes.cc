#include "master/frontend/handshakes.h"

#include <algorithm>
#include <utility>

namespace ringmaster::master {

Handshakes::Handshakes(std::function<void(const net::Connection&)> on_delayed)
    : on_delayed_(std::move(on_delayed)), quota_(random_salt()) {}

void Handshakes::begin(net::Connection& connection, const std::string& client) {
  under_way_.insert_or_assign(&connection, Handshake{quota_.account_of(client)});
}

bool Handshakes::may_go_on(net::Connection& connection, uint64_t now_ns) {
  if (!load_.may_go_on(now_ns)) return false;
  Handshake& handshake = under_way_.at(&connection);
  if (!load_.is_scarce(now_ns) || has_credit(handshake, now_ns)) return true;
  handshake.delayed = delayed_.insert(delayed_.end(), &connection);
  connection.delay();
  on_delayed_(connection);
  return false;
}

bool Handshakes::note(net::Connection& connection, uint64_t took_ns, uint64_t now_ns) {
  Handshake& handshake = under_way_.at(&connection);
  load_.charge(took_ns, now_ns);
  give_back_advance(handshake, now_ns);
  quota_.charge(handshake.account, took_ns, now_ns);
  handshake.spent_ns += took_ns;
  handshake.has_begun = true;
  if (!connection.has_shaken_hands()) return false;
  const uint64_t counted_ns = handshake.spent_ns / HandshakeQuota::kCompletedShare;
  quota_.refund(handshake.account, handshake.spent_ns - counted_ns, now_ns);
  under_way_.erase(&connection);
  return true;
}

void Handshakes::forget(net::Connection& connection, uint64_t now_ns) {
  const auto found = under_way_.find(&connection);
  if (found == under_way_.end()) return;
  give_back_advance(found->second, now_ns);
  if (found->second.delayed) delayed_.erase(*found->second.delayed);
  under_way_.erase(found);
}

void Handshakes::resume_delayed(uint64_t now_ns) {
  size_t without_credit = load_.is_scarce(now_ns) ? 0 : resumed_per_tick();
  for (size_t looks = std::min(delayed_.size(), kLooksPerTick); looks > 0; --looks) {
    net::Connection& connection = *delayed_.front();
    Handshake& handshake = under_way_.at(&connection);
    if (connection.has_client_ended()) {
      connection.abort();  // calls forget()
    } else if (has_credit(handshake, now_ns)) {
      resume(connection, handshake, now_ns);
    } else if (without_credit > 0) {
      --without_credit;
      resume(connection, handshake, now_ns);
    } else {
      delayed_.splice(delayed_.end(), delayed_, delayed_.begin());
    }
  }
}

void Handshakes::resume(net::Connection& connection, Handshake& handshake, uint64_t now_ns) {
  delayed_.erase(*std::exchange(handshake.delayed, std::nullopt));
  handshake.advance_ns = advance_ns();
  quota_.charge(handshake.account, handshake.advance_ns, now_ns);
  connection.resume();
}

bool Handshakes::has_credit(const Handshake& handshake, uint64_t now_ns) const {
  if (handshake.advance_ns > 0) return true;
  return handshake.has_begun ? quota_.may_go_on(handshake.account, now_ns)
                             : quota_.may_begin(handshake.account, now_ns);
}

void Handshakes::give_back_advance(Handshake& handshake, uint64_t now_ns) {
  quota_.refund(handshake.account, std::exchange(handshake.advance_ns, 0), now_ns);
}

}  // namespace ringmaster::master
