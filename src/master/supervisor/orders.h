// Orders: what the fork server has still to be told, until its control channel takes it.
//
// The channel is a socket and may be full. The master never waits for it: an order waits here.
// Pure bookkeeping; the master only.
// Limits: one order for each worker slot, beside what configures the fork server before its first
//         worker. A slot's newest order makes the one before it pointless: a worker is not told to
//         leave once it must be killed, and a slot is only forked anew once its worker is gone.
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
  // The oldest one.
  const ipc::ControlMessage& front() const { return waiting_.front(); }
  void pop() { waiting_.pop_front(); }

 private:
  std::deque<ipc::ControlMessage> waiting_;
};

}  // namespace ringmaster::master
