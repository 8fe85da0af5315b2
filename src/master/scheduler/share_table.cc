#include "master/scheduler/share_table.h"

namespace ringmaster::master {

ClientShare& ShareTable::hold(std::string_view name, Kind kind, double weight) {
  forget_old();
  std::string key(1, static_cast<char>(kind));
  key += name;
  std::unique_ptr<ClientShare>& client = clients_[key];
  if (client == nullptr) {
    client = std::make_unique<ClientShare>(kind == Kind::kAddress ? &addresses_ : &root_, weight);
    client->key = std::move(key);
  }
  if (std::exchange(client->is_idle, false)) idle_.erase(client->idle);
  ++client->holders;
  return *client;
}

void ShareTable::release(ClientShare& client) {
  --client.holders;
  keep_idle(client);
}

void ShareTable::on_idle(ClientShare& client) {
  client.parent->on_idle(client);
  keep_idle(client);
}

void ShareTable::keep_idle(ClientShare& client) {
  if (client.holders > 0 || client.jobs > 0 || client.is_idle) return;
  client.idle = idle_.insert(idle_.end(), &client);
  client.is_idle = true;
}

// Two for each that comes, so the table shrinks.
void ShareTable::forget_old() {
  for (int i = 0; i < 2 && !idle_.empty(); ++i) {
    ClientShare& oldest = *idle_.front();
    const ShareGroup& group = *oldest.parent;
    const bool is_as_new = oldest.finish <= group.virtual_ns() - group.credit_ns();
    if (idle_.size() <= kIdleMax && (!is_as_new || oldest.is_recent)) return;
    idle_.pop_front();
    oldest.parent->forget(oldest);
    clients_.erase(std::string(oldest.key));
  }
}

}  // namespace ringmaster::master
