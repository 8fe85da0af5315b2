// Orders: the orders to the fork server that its control channel had no room for yet.
//
// The channel is a socket and may be full. The master never waits for it: an order waits here.
// Pure bookkeeping; the master only.
// Limits: one order for each worker slot, a ping and a question for names, besides the orders that
//         configure the fork server before its first worker. A slot's newest order replaces the
//         one before: SIGKILL replaces SIGTERM and is not replaced by SIGTERM, and a slot is only
//         forked anew once its worker is gone.
#pragma once

#include <cstddef>
#include <deque>

#include "ipc/control.h"

namespace ringmaster::master {

class Orders {
 public:
  void add(ipc::ControlMessage order);

  bool is_empty() const { return waiting_.empty(); }
  size_t count() const { return waiting_.size(); }
  // The oldest order.
  const ipc::ControlMessage& front() const { return waiting_.front(); }
  void pop() { waiting_.pop_front(); }

 private:
  std::deque<ipc::ControlMessage> waiting_;
};

}  // namespace ringmaster::master
