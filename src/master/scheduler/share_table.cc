#include "master/scheduler/share_table.h"

namespace ringmaster::master {

std::shared_ptr<ClientShare> ShareTable::hold(std::string_view name, Kind kind, double weight) {
  forget_old();
  std::string key(1, static_cast<char>(kind));
  key += name;
  std::shared_ptr<ClientShare>& client = clients_[key];
  if (client == nullptr) {
    client = std::make_shared<ClientShare>(kind == Kind::kAddress ? &addresses_ : &root_, weight);
    client->key = std::move(key);
    list(*client);
  }
  return client;
}

void ShareTable::on_idle(ClientShare& client) {
  for (Share* share = &client; share->parent != nullptr && share->jobs == 0; share = share->parent)
    share->parent->on_idle(*share);
  list(client);
}

void ShareTable::list(ClientShare& client) {
  if (!std::exchange(client.is_listed, true)) idle_.push_back(&client);
}

// Looks at two clients for each call of hold(), so that the table shrinks.
void ShareTable::forget_old() {
  for (int i = 0; i < 2 && !idle_.empty(); ++i) {
    ClientShare& oldest = *idle_.front();
    const auto found = clients_.find(oldest.key);
    const ShareGroup& group = *oldest.parent;
    const bool is_as_new = oldest.finish <= group.virtual_ns() - group.credit_ns();
    if (oldest.jobs > 0) {
      oldest.is_listed = false;
      idle_.pop_front();
    } else if (found->second.use_count() > 1) {
      idle_.splice(idle_.end(), idle_, idle_.begin());
    } else if (idle_.size() > kIdleMax || (is_as_new && !oldest.is_recent)) {
      idle_.pop_front();
      oldest.parent->forget(oldest);
      clients_.erase(found);
    } else {
      return;
    }
  }
}

}  // namespace ringmaster::master
